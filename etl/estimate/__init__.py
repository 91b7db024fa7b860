"""Withheld cells: estimates with bounds, a status and a grade, one source-year at a time."""
