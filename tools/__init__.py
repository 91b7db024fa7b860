"""What maintainers run by hand: generators, linters, fits and reports. Nothing of the product imports it."""
