"""Diff: what changed between two versions, cell by cell, how much of it and why."""

from etl.diff.changes import with_changes
from etl.diff.compare import Comparison, compare
from etl.diff.report import Change, Diff, TableDiff
from etl.diff.sides import DraftSide, PublishedSide, Side

__all__ = ["Change", "Comparison", "Diff", "DraftSide", "PublishedSide", "Side", "TableDiff", "compare", "with_changes"]
