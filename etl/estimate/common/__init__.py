"""What both estimates stand on: trees of sums, bounds, raking, closing."""
