"""The two units of work: one source-year from the archive to clusters, and one year from clusters to published tables.

Each unit reads the archive or the results of earlier units, calls the steps in the order of the line and keeps what
they made in the cache. Units know neither Airflow nor the command line and may run in any process.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from etl.archive import Archived, open_archived
from etl.cache import CachedTable, StepResult, find_step, read_cached, release_memory, run_step
from etl.columns import concat, plain
from etl.contracts import contract, contracts, sort_rows
from etl.estimate import estimate
from etl.harmonise import harmonise
from etl.measure import Rules, measure_common, measure_year
from etl.partners import region_partner
from etl.publish import parquet_bytes
from etl.reference import source_table
from etl.run.conservation import require_leaves_placed, require_printed_figures_kept
from etl.sources import DATASETS, SOURCES
from etl.storage import Storage

#: Sources of the facts: their cells are estimated, brought to clusters, measured and published.
FACTS = ("bls_qcew", "census_cbp", "eurostat_sbs", "eurostat_sbs_ebs", "fr_urssaf", "uk_bres")
#: Sources that publish every cell they have, if rounded or in extract: nothing of theirs is estimated.
UNWITHHELD = ("fr_urssaf", "uk_bres")
#: Portals whose figures are published beside ours.
PORTALS = ("us_cluster_mapping",)
#: Sources that tell, class by class, how the coarse cells of another are made up; in order of precedence.
STRUCTURES: dict[str, tuple[str, ...]] = {
    "eurostat_sbs": ("uk_bres", "eurostat_sbs_national"),
    "eurostat_sbs_ebs": ("uk_bres", "eurostat_sbs_ovw"),
}
#: Tables that every year has a part of, in the order in which they are made.
YEAR_TABLES = (
    "region_industry",
    "published_region_cluster",
    "region_cluster",
    "region_total",
    "region_cluster_common",
    "reconciliation",
    "region_partner",
)


@dataclass(frozen=True, slots=True)
class SourceYear:
    """The archived files of one reference year of a source of the facts, of a portal, or of a structure."""

    source: str
    year: int
    files: tuple[Archived, ...]

    @property
    def name(self) -> str:
        """Source and year for people."""
        return f"{self.source} {self.year}"

    @property
    def bytes(self) -> int:
        """Size of the files: the largest source-years are built first."""
        return sum(file.bytes for file in self.files)

    @property
    def inputs(self) -> list[str]:
        """What the result depends on: addresses and contents."""
        return sorted(f"{file.kind} {file.url}={file.sha256}" for file in self.files)


@dataclass(frozen=True, slots=True)
class Built:
    """The results of one source-year: its cells, and for a source of the facts its clusters."""

    source: str
    year: int
    cells: StepResult
    clusters: StepResult | None = None

    @property
    def results(self) -> list[StepResult]:
        """The results of its steps, in the order of the line."""
        return [self.cells] + ([self.clusters] if self.clusters else [])

    @property
    def notes(self) -> list[str]:
        """Sentences of all steps, each with its source-year."""
        return [f"{self.source} {self.year}: {note}" for result in self.results for note in result.notes]

    @property
    def hashes(self) -> list[str]:
        """What a later step depends on."""
        return [line for result in self.results for line in result.hashes]

    def table(self, name: str) -> CachedTable | None:
        """One of its tables, whichever step made it."""
        return next((result.tables[name] for result in self.results if name in result.tables), None)


@dataclass(frozen=True, slots=True)
class YearUnit:
    """What the tables of one year are made of.

    `here`: the source-years and portals of the year. `before`: for each source the year that growth is measured from.
    `near`: the source-years that the year may be paired with across the Atlantic.
    """

    year: int
    here: tuple[Built, ...]
    before: tuple[Built, ...]
    near: tuple[Built, ...]

    @property
    def inputs(self) -> list[str]:
        """What the result depends on."""
        groups = (("here", self.here), ("before", self.before), ("near", self.near))
        return [f"{name} {line}" for name, group in groups for one in group for line in one.hashes]


def source_years(storage: Storage, files: Iterable[Archived]) -> list[SourceYear]:
    """Sort the archive into source-years, the largest first. Files of no source (lists, boundaries) are left out."""
    by_dataset: dict[str, list[Archived]] = {}
    for file in files:
        dataset = DATASETS.get(file.dataset)
        if dataset is not None and dataset.source is not None:
            by_dataset.setdefault(file.dataset, []).append(file)
    units: dict[tuple[str, int], list[Archived]] = {}
    for name, members in sorted(by_dataset.items()):
        for year, part in _by_year(storage, name, members).items():
            units.setdefault((str(DATASETS[name].source), year), []).extend(part)
    made = [SourceYear(source, year, tuple(sorted(p, key=lambda f: f.url))) for (source, year), p in units.items()]
    return sorted(made, key=lambda unit: (-unit.bytes, unit.source, unit.year))


def list_notes(storage: Storage, files: Iterable[Archived]) -> list[str]:
    """Hold the publishers' lists (delineations, concordances, NUTS changes) against the built-in tables.

    A difference is a note, never a change. Lists are those datasets that have no source; that of organisations has no
    codes of regions or industries to be held against.
    """
    by_dataset: dict[str, list[Archived]] = {}
    for file in files:
        if DATASETS[file.dataset].source is None and file.dataset != "cluster_organisations":
            by_dataset.setdefault(file.dataset, []).append(file)
    notes = []
    for name, members in sorted(by_dataset.items()):
        inputs = sorted(f"{file.url}={file.sha256}" for file in members)

        def read(name: str = name, members: Sequence[Archived] = members) -> tuple[dict[str, pa.Table], list[str]]:
            return {}, DATASETS[name].parse([open_archived(storage, file) for file in members], None).notes

        notes += [f"{name}: {note}" for note in run_step(storage, "estimate", name, None, inputs, read).notes]
    return notes


def _by_year(storage: Storage, dataset: str, files: Sequence[Archived]) -> dict[int, list[Archived]]:
    """Reference years of a dataset's files; a file of no single year is opened to see which it holds."""
    years: dict[int, list[Archived]] = {}
    for file in files:
        if file.year is not None:
            years.setdefault(file.year, []).append(file)
        else:
            for year in DATASETS[dataset].by_year([open_archived(storage, file)]):
                years.setdefault(year, []).append(file)
    return years


def year_units(built: Sequence[Built], window: int) -> list[YearUnit]:
    """Sort source-years into the years to publish, each with its past and its neighbours."""
    facts = [one for one in built if one.clusters is not None]
    units = []
    for year in sorted({one.year for one in built if one.source in (*FACTS, *PORTALS)}):
        here = tuple(one for one in built if one.year == year and one.source in (*FACTS, *PORTALS))
        past = [[o for o in facts if o.source == one.source and o.year < year] for one in here]
        before = tuple(max(others, key=lambda other: other.year) for others in past if others)
        near = tuple(one for one in facts if abs(one.year - year) <= window)
        units.append(YearUnit(year, here, before, near))
    return units


def build_source_year(storage: Storage, unit: SourceYear, structures: Sequence[Built] = ()) -> Built:
    """Take one source-year from the archive to clusters, or find it in the cache.

    `structures`: built source-years that tell how coarse cells are made up. Raises DataError naming file and code.
    """
    inputs = _inputs(unit, structures)
    cells = run_step(storage, "estimate", unit.source, unit.year, inputs, lambda: _to_cells(storage, unit, structures))
    table = cells.tables.get("region_industry")
    if unit.source not in FACTS or table is None:
        return Built(unit.source, unit.year, cells)

    def to_clusters() -> tuple[dict[str, pa.Table], list[str]]:
        going_in = read_cached(storage, table)
        done = harmonise(going_in, unit.year)
        require_leaves_placed(going_in, done.ledger, unit.name)
        made = {"region_cluster": done.region_cluster, "ledger": done.ledger, "coverage": done.coverage}
        return made | {"region_keys": region_keys([done.region_cluster])}, done.notes

    clusters = run_step(storage, "harmonise", unit.source, unit.year, cells.hashes, to_clusters)
    return Built(unit.source, unit.year, cells, clusters)


def find_built(storage: Storage, unit: SourceYear, structures: Sequence[Built] = ()) -> Built | None:
    """Return a source-year that is built already, None where a step of it is still to be run. Computes nothing."""
    cells = find_step(storage, "estimate", unit.source, unit.year, _inputs(unit, structures))
    if cells is None:
        return None
    if unit.source not in FACTS or "region_industry" not in cells.tables:
        return Built(unit.source, unit.year, cells)
    clusters = find_step(storage, "harmonise", unit.source, unit.year, cells.hashes)
    return Built(unit.source, unit.year, cells, clusters) if clusters else None


def _inputs(unit: SourceYear, structures: Sequence[Built]) -> list[str]:
    return unit.inputs + [line for one in structures for line in one.cells.hashes]


def _to_cells(storage: Storage, unit: SourceYear, structures: Sequence[Built]) -> tuple[dict[str, pa.Table], list[str]]:
    """Read the publisher's files; for a source of the facts also complete what is withheld."""
    parsed = SOURCES[unit.source].parse([open_archived(storage, file) for file in unit.files], unit.year)
    tables, notes = dict(parsed.tables), parsed.notes
    if unit.source in PORTALS:
        tables["region_keys"] = region_keys(tables.values())
    if unit.source not in FACTS or "region_industry" not in tables:
        return tables, notes
    if unit.source in UNWITHHELD:
        cells = published_cells(tables["region_industry"])
        return tables | {"region_industry": cells, "region_keys": region_keys([cells])}, notes
    known = [read_cached(storage, table) for one in structures if (table := one.table("region_industry"))]
    printed = tables.pop("region_industry").unify_dictionaries()
    # A county year is large: each of its forms is let go as soon as the next one is there.
    del parsed
    release_memory()
    estimated = estimate(printed, structures=known)
    require_printed_figures_kept(printed, estimated.cells, unit.name)
    del printed
    release_memory()
    tables |= {
        "region_industry": published_cells(estimated.cells),
        "region_keys": region_keys([estimated.cells]),
        "estimate_quality": estimated.quality,
        "contradiction": estimated.contradictions,
    }
    return tables, notes + estimated.notes


def published_cells(cells: pa.Table) -> pa.Table:
    """The cells in the columns of their contract; codes stay dictionary-encoded up to the published file."""
    published = contract("region_industry").column_names
    return contract("region_industry").conform(
        cells.select([name for name in published if name in cells.column_names]), keeps_dictionaries=True
    )


def region_keys(tables: Iterable[pa.Table]) -> pa.Table:
    """The distinct regions of these tables: scheme, code and vintage, sorted."""
    names = ["region_scheme", "region_code", "region_vintage"]
    distinct = [plain(table.select(names)).group_by(names).aggregate([]) for table in tables]
    if not distinct:
        return contract("region").empty().select(names)
    return sort_rows(
        pa.concat_tables(distinct, promote_options="permissive").group_by(names).aggregate([]).select(names), names
    )


def build_year(storage: Storage, unit: YearUnit, rules: Rules) -> StepResult:
    """Measure one year and write its published tables, or find them in the cache."""

    def tables() -> tuple[dict[str, pa.Table], list[str]]:
        published = [read_cached(storage, t) for one in unit.here if (t := one.table("published_region_cluster"))]
        covered = [read_cached(storage, t) for one in unit.near if (t := one.table("coverage"))]
        coverage = _stacked("coverage", covered)
        made = measure_year(
            {one.source: _clusters(storage, one) for one in unit.here if one.clusters},
            year=unit.year,
            previous={one.source: (one.year, _clusters(storage, one)) for one in unit.before},
            published=concat(published) if published else None,
            coverage=coverage,
            rules=rules,
        )
        made["region_cluster_common"] = measure_common(
            {(one.source, one.year): _clusters(storage, one) for one in unit.near},
            year=unit.year,
            coverage=coverage,
            cells={
                (one.source, one.year): partial(read_cached, storage, t)
                for one in unit.near
                if (t := one.table("region_industry"))
            },
            rules=rules,
        )
        made["region_partner"] = region_partner(made["region_cluster_common"], unit.year)
        cells = [read_cached(storage, t) for one in unit.here if (t := one.table("region_industry"))]
        made["region_industry"] = _stacked("region_industry", cells)
        made["published_region_cluster"] = _stacked("published_region_cluster", published)
        return made, []

    inputs = [*unit.inputs, f"rules={rules}"]
    return run_step(storage, "measure", "all", unit.year, inputs, tables, write_published)


def write_published(name: str, table: pa.Table, key: str) -> bytes:
    """Write a table as it will be published, named by what it was made from."""
    return parquet_bytes(table, contracts()[name], inputs_id=key, sources=source_table())


def _stacked(name: str, tables: Sequence[pa.Table]) -> pa.Table:
    return concat(tables) if tables else contract(name).empty()


def _clusters(storage: Storage, one: Built) -> pa.Table:
    table = one.table("region_cluster")
    return read_cached(storage, table) if table else contract("region_cluster").empty()
