"""The archive: what publishers served, byte for byte, for ever, and the log of how it came."""

from etl.archive.log import Archived, Outcome, in_use, known
from etl.archive.objects import object_path, open_archived
from etl.archive.retrieval import Fetched, fetch

__all__ = ["Archived", "Fetched", "Outcome", "fetch", "in_use", "known", "object_path", "open_archived"]
