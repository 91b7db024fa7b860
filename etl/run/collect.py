"""Brings everything a snapshot holds together: the years' tables, the tables without a year, and what changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from etl import harmonise, reference
from etl.archive import Archived, open_archived
from etl.cache import StepResult, code_id, hash_of, read_cached, run_step
from etl.columns import concat
from etl.contracts import contract, contracts
from etl.organisations import cluster_organisation
from etl.partners import cluster_relatedness
from etl.publish import Part, part_path
from etl.run.units import FACTS, PORTALS, Built, region_keys, write_published
from etl.settings import Settings
from etl.sources import DATASETS
from etl.sources.configured import description_id
from etl.storage import Storage

#: Tables that gather what the steps of all source-years wrote about themselves, and the step's name for each.
GATHERED = {
    "conservation_ledger": "ledger",
    "coverage": "coverage",
    "estimate_quality": "estimate_quality",
    "contradiction": "contradiction",
}


@dataclass(frozen=True, slots=True)
class Collected:
    """All files of a snapshot by path, and by table the results they came from."""

    parts: dict[str, Part]

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(part.rows for part in self.parts.values())


def code_of_all_steps() -> str:
    """Hash of the code behind every table and the page."""
    return hash_of([code_id(step) for step in ("estimate", "harmonise", "measure", "collect", "site")])


def collect(
    storage: Storage,
    files: Sequence[Archived],
    built: Sequence[Built],
    years: Sequence[StepResult],
    *,
    is_invented: bool,
) -> Collected:
    """Collect the files of a snapshot: those of each year, and those of tables without a year."""
    parts: dict[str, Part] = {}
    for result in years:
        for name, table in result.tables.items():
            parts[part_path(name, result.year)] = Part(table.path, table.sha256, table.bytes, table.rows, result.key)
    facts = [one for one in built if one.source in (*FACTS, *PORTALS)]
    organisations = _organisations(storage, files)
    for result in [
        *_reference_tables(storage, is_invented=is_invented),
        _source_files(storage, files),
        *organisations,
        _regions(storage, facts, organisations),
        *[_gathered(storage, name, facts) for name in GATHERED],
        _relatedness(storage, years),
    ]:
        for name, table in result.tables.items():
            parts[part_path(name)] = Part(table.path, table.sha256, table.bytes, table.rows, result.key)
    return Collected(parts)


def _one(storage: Storage, name: str, inputs: Sequence[str], make: Callable[[], pa.Table]) -> StepResult:
    return run_step(storage, "collect", name, None, inputs, lambda: ({name: make()}, []), write_published)


def _reference_tables(storage: Storage, *, is_invented: bool) -> list[StepResult]:
    tables: dict[str, Callable[[], pa.Table]] = {
        "cluster": harmonise.cluster_table,
        "subcluster": reference.subclusters,
        "industry_cluster": harmonise.industry_cluster_table,
        "concordance": harmonise.concordance_table,
        "concordance_alternative": harmonise.concordance_alternative_table,
        "definition_break": harmonise.definition_break_table,
    }
    results = [_one(storage, name, [], make) for name, make in tables.items()]

    def sources() -> pa.Table:
        table = reference.source_table()
        marks = pa.array([is_invented] * table.num_rows)
        return table.set_column(table.column_names.index("is_invented"), "is_invented", marks)

    return [*results, _one(storage, "source", [f"is_invented={is_invented}"], sources)]


def _source_files(storage: Storage, files: Sequence[Archived]) -> StepResult:
    names = ("dataset", "url", "year", "sha256", "bytes")
    columns = {name: [getattr(file, name) for file in files] for name in names}
    inputs = [f"{file.dataset} {file.url}={file.sha256}" for file in files]
    return _one(storage, "source_file", inputs, lambda: pa.table(columns, _schema("source_file", names)))


def _organisations(storage: Storage, files: Sequence[Archived]) -> list[StepResult]:
    """Organisations on the taxonomy, from the list that is configured and the decisions about it; none without."""
    dataset = DATASETS["cluster_organisations"]
    asked = {request.url for request in dataset.requests([])}
    lists = [file for file in files if file.dataset == dataset.name and file.url in asked]
    if not lists:
        return []

    def placed() -> pa.Table:
        tables = dataset.parse([open_archived(storage, file) for file in lists], None).tables
        return cluster_organisation(tables["organisation"], tables["decision"])

    inputs = [f"{file.kind} {file.url}={file.sha256}" for file in lists]
    inputs.append(f"description={description_id(Settings().cluster_organisations)}")
    return [_one(storage, "cluster_organisation", inputs, placed)]


def _regions(storage: Storage, built: Sequence[Built], organisations: Sequence[StepResult]) -> StepResult:
    found = [table for one in built for result in one.results if (table := result.tables.get("region_keys"))]
    found += [table for result in organisations for table in result.tables.values()]
    inputs = sorted(table.sha256 for table in found)

    def described() -> pa.Table:
        tables = (read_cached(storage, table) for table in found)
        placed = [table.filter(pc.is_valid(table.column("region_code"))) for table in tables]
        return reference.regions(region_keys(placed))

    return _one(storage, "region", inputs, described)


def _gathered(storage: Storage, name: str, built: Sequence[Built]) -> StepResult:
    found = [table for one in built for result in one.results if (table := result.tables.get(GATHERED[name]))]

    def stacked() -> pa.Table:
        return concat(
            [contract(name).conform(read_cached(storage, table)) for table in found] or [contract(name).empty()]
        )

    return _one(storage, name, [table.sha256 for table in found], stacked)


def _relatedness(storage: Storage, years: Sequence[StepResult]) -> StepResult:
    """How related clusters are in each year, from the common measures of both sides."""
    common = {result.year: result.tables["region_cluster_common"] for result in years}

    def stacked() -> pa.Table:
        parts = [cluster_relatedness(read_cached(storage, table), year or 0) for year, table in common.items()]
        return concat(parts or [contract("cluster_relatedness").empty()])

    return _one(storage, "cluster_relatedness", [f"{y}={t.sha256}" for y, t in common.items()], stacked)


def _schema(table: str, names: Sequence[str]) -> pa.Schema:
    return pa.schema([contracts()[table].arrow_schema.field(name) for name in names])
