"""Published versions: how they are read, verified, told about and pruned."""

from etl.snapshots.reading import Listed, Snapshot, holding, listed, open

__all__ = ["Listed", "Snapshot", "holding", "listed", "open"]
