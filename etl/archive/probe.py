"""Asks each publisher for a small answer and says, line by line, whether it is still what our reader expects."""

import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from etl.archive import Outcome, fetch, open_archived
from etl.errors import SourceFormatError, TransientError, UsageError
from etl.settings import Settings
from etl.sources.base import Dataset, Request
from etl.storage import Storage

#: How many years back an address may lie before the dataset counts as not offered: the newest are not out yet.
YEARS_BACK = 4


@dataclass(frozen=True, slots=True)
class Probe:
    """What one dataset's publisher answered to one kind of question: `status` in a word or two, `said` for a person."""

    dataset: str
    status: str
    said: str


def probe_publishers(datasets: Mapping[str, Dataset], settings: Settings, mirror: str | None = None) -> list[Probe]:
    """Ask for a small answer or two of each dataset, newest years first, and read it as a refresh would.

    Older years are asked only where none of the newest is there. Nothing is kept. A dataset that needs a setting to
    have an address is *not configured*.
    """
    with tempfile.TemporaryDirectory() as folder:

        def ask(samples: Iterable[Request]) -> list[Outcome]:
            fetched = fetch(
                samples,
                Storage(folder),
                dataset_objects={},
                snapshot_date=datetime.now(UTC).date(),
                run_id=uuid.uuid4().hex,
                settings=settings,
                mirror_base=mirror,
            )
            return list(fetched.outcomes)

        newest = ask(request for dataset in datasets.values() for request in sample_requests(dataset))
        answered = {outcome.request.dataset for outcome in newest if outcome.status != "not_offered"}
        silent = [dataset for name, dataset in datasets.items() if name not in answered and dataset.years]
        older = ask(request for dataset in silent for request in sample_requests(dataset, newest=False))
        probes = []
        for name, dataset in datasets.items():
            outcomes = [outcome for outcome in newest + older if outcome.request.dataset == name]
            kinds = dict.fromkeys(outcome.request.kind for outcome in outcomes)
            probes += [_probe(dataset, [o for o in outcomes if o.request.kind == kind], folder) for kind in kinds]
            if not kinds:
                probes.append(Probe(name, "not configured", "no address; see the settings in docs/operations.md"))
        return probes


def sample_requests(dataset: Dataset, *, newest: bool = True) -> list[Request]:
    """The samples of each of the newest years, or of the years before; those of a dataset without years."""
    if not dataset.years:
        return dataset.sample([])
    years = sorted(dataset.years)
    chosen = years[-YEARS_BACK:] if newest else years[:-YEARS_BACK]
    return list({request.url: request for year in chosen for request in dataset.sample([year])}.values())


def _probe(dataset: Dataset, outcomes: Sequence[Outcome], folder: str) -> Probe:
    answered = [outcome for outcome in outcomes if outcome.archived is not None]
    if not answered:
        refused = next((o for o in outcomes if o.status == "refused"), None)
        failed = refused or next((o for o in outcomes if o.status != "not_offered"), None)
        if failed is None:
            return Probe(dataset.name, "not offered", f"404 at {outcomes[0].request.url}")
        status = "has changed" if failed.status == "refused" else "unreachable"
        return Probe(dataset.name, status, f"{failed.reason} ({failed.request.url})")
    newest = max(answered, key=lambda outcome: outcome.request.year or 0).archived
    assert newest is not None
    file = open_archived(Storage(folder), newest)
    try:
        dataset.check(file)
        found = _in_words(dataset.profile(file))
    except (SourceFormatError, TransientError, UsageError) as error:
        return Probe(dataset.name, "has changed", " ".join(str(error).split()))
    return Probe(dataset.name, "as expected", f"{newest.bytes:,} bytes{found} from {newest.url}")


def _in_words(profile: Mapping[str, float | list[str]]) -> str:
    """What was found in the answer: how many regions, years …, and the first total."""
    counts = [f"{len(value):,} {name}" for name, value in profile.items() if isinstance(value, list)]
    total = next((f"{name} {value:,.0f}" for name, value in profile.items() if not isinstance(value, list)), None)
    told = ", ".join(counts + ([total] if total else []))
    return f", {told}," if told else ""
