"""What a draft says of itself against the version before it: table revision, changes.json, counts in the manifest."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from etl.contracts import contract
from etl.diff.compare import compare
from etl.diff.report import Diff
from etl.diff.sides import DraftSide, PublishedSide
from etl.publish.draft import Draft, Part
from etl.publish.manifest import Manifest
from etl.publish.parquet import parquet_bytes, part_path
from etl.storage import Storage

CHANGES = "changes.json"


def with_changes(
    storage: Storage, draft: Draft, previous: Manifest | None, source_of: Mapping[str, str | None] | None = None
) -> Draft:
    """Compare a draft with the version before it and add what changed; the first version has nothing to compare with.

    `source_of`: the source that each dataset feeds. Raises IntegrityError naming a damaged file.
    """
    if previous is None:
        first = Diff(old=None, new=DraftSide.version, is_identical=False, tables=(), top=())
        return replace(draft, previous=None, documents={**draft.documents, CHANGES: first.as_json()})
    found = compare(PublishedSide(storage, previous), DraftSide(storage, draft), source_of)
    inputs_id = hashlib.sha256(f"{previous.version} {previous.content_id} {draft.content_id}".encode()).hexdigest()
    revision = parquet_bytes(found.revision, contract("revision"), inputs_id=inputs_id)
    part = Part.of(revision, found.revision.num_rows, inputs_id)
    return replace(
        draft,
        previous=previous.version,
        parts={**draft.parts, part_path("revision"): part},
        changes=found.diff.counts,
        documents={**draft.documents, CHANGES: found.diff.as_json()},
    )
