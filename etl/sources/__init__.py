"""The publishers' datasets: one module each, addresses and reader together."""
