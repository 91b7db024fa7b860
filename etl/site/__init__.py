"""The page of a snapshot: maps, profiles and rankings in static files, made from the snapshot's tables alone."""

from collections.abc import Mapping, Sequence

from etl.archive import Archived
from etl.publish import Part
from etl.site.build import build_site
from etl.site.tables import boundaries_of, tables_of_parts, tables_of_snapshot
from etl.snapshots import Snapshot
from etl.storage import Storage

#: Folder of the page inside a snapshot.
SITE = "site"


def site_documents(
    storage: Storage, parts: Mapping[str, Part], files: Sequence[Archived], *, content_id: str, is_invented: bool
) -> dict[str, bytes]:
    """The page of a version that is about to be published, by path inside the snapshot."""
    tables, boundaries = tables_of_parts(storage, parts), boundaries_of(storage, files)
    page = build_site(tables, boundaries, content_id=content_id[:16], is_invented=is_invented)
    return {f"{SITE}/{path}": data for path, data in page.items()}


def site_of_snapshot(snapshot: Snapshot, files: Sequence[Archived]) -> dict[str, bytes]:
    """The page of a published version, by path inside the page's folder. `files`: of the archive, for boundaries."""
    manifest = snapshot.manifest
    tables, boundaries = tables_of_snapshot(snapshot), boundaries_of(snapshot.storage, files)
    return build_site(tables, boundaries, content_id=manifest.content_id[:16], is_invented=manifest.is_invented)


__all__ = ["SITE", "build_site", "site_documents", "site_of_snapshot"]
