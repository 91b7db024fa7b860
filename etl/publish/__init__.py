"""Publish: checked tables become an immutable version of the data set, and the pointer moves to it."""

from etl.publish.draft import Draft, Part
from etl.publish.manifest import FileEntry, GateResult, Manifest, SourceFileState
from etl.publish.outcome import OvertakenError, Published, published_already
from etl.publish.parquet import parquet_bytes, part_path, part_year
from etl.publish.part_files import DamagedPartError
from etl.publish.publisher import publish
from etl.publish.versions import content_id, latest_version, newest_manifest, read_manifest, versions

__all__ = [
    "DamagedPartError",
    "Draft",
    "FileEntry",
    "GateResult",
    "Manifest",
    "OvertakenError",
    "Part",
    "Published",
    "SourceFileState",
    "content_id",
    "latest_version",
    "newest_manifest",
    "parquet_bytes",
    "part_path",
    "part_year",
    "publish",
    "published_already",
    "read_manifest",
    "versions",
]
