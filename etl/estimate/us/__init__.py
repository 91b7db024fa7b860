"""Imputation of withheld American cells, from one set of leaves for nation, states and counties."""
