"""Completion of European cells and their spread over the classes of NACE."""
