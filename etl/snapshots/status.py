"""What a data root holds, told from the root alone: the newest version, and each dataset with its age."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from etl.archive import Archived, known
from etl.publish import newest_manifest, read_manifest, versions
from etl.sources import DATASETS
from etl.storage import Storage


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """One dataset: what is on offer, what is in hand, and how old it is."""

    dataset: str
    publisher: str
    title: str
    side: str
    years_on_offer: str
    years_in_hand: str
    files: int
    bytes: int
    confirmed: str | None
    age_days: float | None
    stale_files: int
    stale_reason: str | None


def dataset_statuses(storage: Storage, now: datetime | None = None) -> list[DatasetStatus]:
    """All datasets in the order of their names."""
    now = now or datetime.now(UTC)
    by_dataset: dict[str, list[Archived]] = {name: [] for name in sorted(DATASETS)}
    for file in known(storage).values():
        by_dataset.setdefault(file.dataset, []).append(file)
    return [_status(name, files, now) for name, files in by_dataset.items() if name in DATASETS]


def _status(name: str, files: Sequence[Archived], now: datetime) -> DatasetStatus:
    dataset = DATASETS[name]
    confirmed = max((file.confirmed for file in files), default=None)
    stale = [file for file in files if file.is_stale]
    oldest = min((file.confirmed for file in files), default=None)
    age = (now - _moment(oldest)).total_seconds() / 86400 if oldest else None
    return DatasetStatus(
        dataset=name,
        publisher=dataset.publisher,
        title=dataset.title,
        side=dataset.side,
        years_on_offer=year_ranges(dataset.years),
        years_in_hand=year_ranges({year for file in files for year in _years(file)}),
        files=len(files),
        bytes=sum(file.bytes for file in files),
        confirmed=confirmed,
        age_days=None if age is None else round(max(age, 0.0), 2),
        stale_files=len(stale),
        stale_reason=stale[0].problem if stale else None,
    )


def _years(file: Archived) -> list[int]:
    """The year of a file, or those it was found to hold when it came."""
    if file.year is not None:
        return [file.year]
    return [int(year) for year in file.profile.get("years", ()) if str(year).isdigit()]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def year_ranges(years: Sequence[int] | set[int] | range) -> str:
    """Years as people write them: `2001, 2005, 2009-2011`."""
    ranges: list[list[int]] = []
    for year in sorted(years):
        if ranges and year == ranges[-1][1] + 1:
            ranges[-1][1] = year
        else:
            ranges.append([year, year])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def refusals(storage: Storage) -> list[dict[str, Any]]:
    """What the gate has refused since the newest version and nobody has released: its day, why, and the rows."""
    newest = newest_manifest(storage)
    days = [(path.split("/")[1], path) for path in storage.list("refused") if path.endswith("/result.json")]
    since = newest.snapshot_date if newest else ""
    of_day = [version for version in versions(storage) if version.startswith(since)] if newest else []
    published = {read_manifest(storage, version).content_id[:16] for version in of_day}
    found = []
    for day, path in sorted(days):
        folder = path.rpartition("/")[0]
        if day < since or folder.rpartition("/")[2] in published:
            continue
        checked = json.loads(storage.read_bytes(path))["expectations"]
        failed = [
            f"{one['expectation']} of {one['table']}" + (f", {one['year']}" if one["year"] else "")
            for one in checked
            if one["severity"] == "critical" and not one["is_met"]
        ]
        found.append({"snapshot_date": day, "failures": failed, "rows_in": f"{folder}/failing.parquet"})
    return found


def root_status(storage: Storage) -> dict[str, Any]:
    """The state of the root for programs: newest version, its gate, what was refused since, and every dataset."""
    newest = newest_manifest(storage)
    return {
        "root": storage.root,
        "latest": newest.version if newest else None,
        "previous": newest.previous if newest else None,
        "published_at": newest.published_at if newest else None,
        "is_invented": newest.is_invented if newest else None,
        "versions": len(versions(storage)),
        "rows": {name: table.rows for name, table in newest.tables.items()} if newest else {},
        "gate": newest.gate.model_dump(mode="json") if newest else None,
        "changes": newest.changes if newest else {},
        "refused": refusals(storage),
        "datasets": [asdict(status) for status in dataset_statuses(storage)],
    }
