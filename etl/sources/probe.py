"""Asks each publisher for one small answer and says, by dataset, whether it is still what our reader expects."""

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from etl.archive import Outcome, fetch, open_archived
from etl.errors import SourceFormatError
from etl.settings import Settings
from etl.sources.base import Dataset, Request
from etl.storage import Storage

#: How many years back an address may lie before the dataset counts as not offered: the newest are not out yet.
YEARS_BACK = 4


@dataclass(frozen=True, slots=True)
class Probe:
    """What one dataset's publisher answered: `status` in a word or two, `said` the rest for a person."""

    dataset: str
    status: str
    said: str


def probe_publishers(datasets: Mapping[str, Dataset], settings: Settings, mirror: str | None = None) -> list[Probe]:
    """Ask for one small answer of each dataset, newest year first, and hold it against its reader's expectations.

    Nothing is kept. A dataset that needs a setting to have an address is *not configured*.
    """
    samples = {name: sample_requests(dataset) for name, dataset in datasets.items()}
    with tempfile.TemporaryDirectory() as folder:
        fetched = fetch(
            [request for requests in samples.values() for request in requests],
            Storage(folder),
            dataset_objects={},
            snapshot_date=datetime.now(UTC).date(),
            run_id=uuid.uuid4().hex,
            settings=settings,
            mirror_base=mirror,
        )
        outcomes: dict[str, list[Outcome]] = {name: [] for name in samples}
        for outcome in fetched.outcomes:
            outcomes[outcome.request.dataset].append(outcome)
        return [_probe(datasets[name], outcomes[name], folder) for name in samples]


def sample_requests(dataset: Dataset) -> list[Request]:
    """The first address of each of the newest years; of a dataset without years its first address."""
    if not dataset.years:
        return dataset.requests([])[:1]
    newest = sorted(dataset.years)[-YEARS_BACK:]
    found = {request.url: request for year in newest for request in dataset.sample([year])[:1]}
    return list(found.values())


def _probe(dataset: Dataset, outcomes: list[Outcome], folder: str) -> Probe:
    if not outcomes:
        return Probe(dataset.name, "not configured", "no address; see the settings in docs/operations.md")
    answered = [outcome for outcome in outcomes if outcome.archived is not None]
    if not answered:
        refused = next((o for o in outcomes if o.status == "refused"), None)
        failed = refused or next((o for o in outcomes if o.status != "not_offered"), None)
        if failed is None:
            return Probe(dataset.name, "not offered", f"404 at {outcomes[-1].request.url}")
        status = "has changed" if failed.status == "refused" else "unreachable"
        return Probe(dataset.name, status, f"{failed.reason} ({failed.request.url})")
    newest = max(answered, key=lambda outcome: outcome.request.year or 0).archived
    assert newest is not None
    try:
        dataset.check(open_archived(Storage(folder), newest))
    except SourceFormatError as error:
        return Probe(dataset.name, "has changed", str(error))
    return Probe(dataset.name, "as expected", f"{newest.bytes:,} bytes from {newest.url}")
