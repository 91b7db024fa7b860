"""Diff: what changed between two versions, cell by cell, how much of it and why."""

from etl.diff.changes import with_changes
from etl.diff.compare import TableComparison, compare
from etl.diff.report import Change, Diff, TableDiff
from etl.diff.sides import DiffSide, DraftSide, PublishedSide

__all__ = [
    "Change",
    "Diff",
    "DiffSide",
    "DraftSide",
    "PublishedSide",
    "TableComparison",
    "TableDiff",
    "compare",
    "with_changes",
]
