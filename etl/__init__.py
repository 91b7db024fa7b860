"""Clusterbridge: the industry clusters of US and European regions on one taxonomy."""

__version__ = "0.1.0"
