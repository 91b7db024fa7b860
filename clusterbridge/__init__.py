"""Clusterbridge under its own name: `from clusterbridge import snapshots` reads published versions."""

from etl import __version__, snapshots

__all__ = ["__version__", "snapshots"]
