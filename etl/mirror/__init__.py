"""Serves a folder of publishers' files over HTTP, honestly or not: for air-gapped users and for tests."""

from etl.mirror.faults import FAULTS, Fault
from etl.mirror.server import MirrorServer, Seen, serve, serve_forever

__all__ = ["FAULTS", "Fault", "MirrorServer", "Seen", "serve", "serve_forever"]
