"""Where the truth about Europe's estimates is known: Great Britain, and the United States made coarse.

Real answers of the publishers, laid out by address under `mirror/` of a folder, spread from divisions (three digits) by
the product's method and compared with the classes (six digits) they have.
"""

import csv
import gzip
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from etl import columns
from etl.contracts import contract
from etl.estimate.europe import colocation_pattern as colocation
from etl.estimate.europe.estimate import estimate_europe
from etl.harmonise.cluster_weights import cluster_weights
from etl.harmonise.published import nace2_cluster_equal
from etl.reference import cluster_kinds, naics_cluster
from etl.reference.nace import nace_classes
from etl.sources.base import ArchivedFile, Dataset
from etl.sources.census_cbp_api import CensusCbpApi
from etl.sources.uk_bres import UkBres
from tools.fit_colocation import States, blocks_of, held_out_states

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: A British cell counts from this many jobs on, and is specialised from this quotient on.
JOBS, QUOTIENT = 1000.0, 1.5
#: Regions of the US test; each is spread by a pattern fitted without its fold.
FOLDS = 25
TRADED = range(1, 52)
#: How states are spread from divisions; the pattern of the other states throughout.
BY_DIVISION = ("plain", "pattern of other states", "the same and average sizes by division")


def mirrored(shared: Path, dataset: Dataset, year: int, folder: Path) -> list[ArchivedFile]:
    """The answers to a dataset's questions of one year, with the pages they lead to, unpacked into `folder`."""
    with (shared / "mirror" / "index.csv").open(encoding="utf-8", newline="") as stream:
        index = {row["url"]: row for row in csv.DictReader(stream)}
    found = []
    waiting = dataset.requests([year])
    while waiting:
        request = waiting.pop(0)
        row = index.get(request.url)
        if row is None:
            continue
        path = shared / "mirror" / row["path"]
        if row["gzipped"] == "1":
            packed, path = path, folder / row["sha256"]
            path.write_bytes(gzip.decompress(packed.read_bytes()))
        file = ArchivedFile(
            request.dataset, request.url, request.kind, request.content, year, row["sha256"], path.stat().st_size, path
        )
        found.append(file)
        waiting += dataset.follow(file)
    return found


def bres(shared: Path, years: Iterable[int] = range(2009, 2030)) -> dict[int, pa.Table]:
    """Great Britain's classes by region: region_industry by year, for every year whose pages are there."""
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for year in years:
            files = mirrored(shared, UkBres(), year, Path(folder))
            if files:
                tables[year] = columns.plain(UkBres().parse(files, year).tables["region_industry"])
    return tables


def states(shared: Path, years: Iterable[int] = (2019, 2020, 2021)) -> dict[int, pa.Table]:
    """US states by six-digit industry: region_industry by year."""
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for year in years:
            files = [file for file in mirrored(shared, CensusCbpApi(), year, Path(folder)) if file.kind == "st"]
            if files:
                table = columns.plain(CensusCbpApi().parse(files, year).tables["region_industry"])
                tables[year] = table.select(
                    [n for n in contract("region_industry").column_names if n in table.column_names]
                )
    return tables


def matrix(table: pa.Table, regions: Sequence[str], industries: Sequence[str], column: str = "employment") -> Floats:
    """Regions × industries; what is not there is 0."""
    place = [{code: number for number, code in enumerate(codes)} for codes in (regions, industries)]
    rows = [
        [where.get(code, -1) for code in table.column(name).to_pylist()]
        for where, name in zip(place, ("region_code", "industry_code"), strict=True)
    ]
    region, industry = (np.array(part, np.int64) for part in rows)
    inside = (region >= 0) & (industry >= 0)
    result = np.zeros((len(regions), len(industries)))
    result[region[inside], industry[inside]] = np.nan_to_num(table.column(column).to_numpy().astype(float))[inside]
    return result


def regions_of(table: pa.Table) -> list[str]:
    """The region codes of a table, sorted."""
    return sorted(set(table.column("region_code").to_pylist()))


def divisions(table: pa.Table, *, groups_in: Sequence[str] = ()) -> pa.Table:
    """Great Britain as Eurostat would give it: divisions by region and country, and groups in these divisions."""
    regions = regions_of(table)
    truth = matrix(table, regions, nace_classes("nace2"))
    parts = []
    for digits, level in ((2, "division"), (4, "group")):
        block, names = blocks_of(nace_classes("nace2"), digits)
        amounts = colocation.block_sums(truth, block)
        for rows, codes, scheme in ((amounts, regions, "nuts2"), (amounts.sum(axis=0)[None, :], ["UK"], "nuts0")):
            for number, code in enumerate(codes):
                parts += [
                    _cell(table, scheme, code, name, level, float(rows[number, place]))
                    for place, name in enumerate(names)
                    if digits == 2 or name[:2] in groups_in
                ]
    return pa.Table.from_pylist(parts)


def national_classes(table: pa.Table) -> pa.Table:
    """The classes of the country as a whole, as Eurostat's national tables give them."""
    truth = matrix(table, regions_of(table), nace_classes("nace2")).sum(axis=0)
    return pa.Table.from_pylist(
        [
            _cell(table, "nuts0", "UK", code, "class", float(value)) | {"source": "eurostat_sbs_national"}
            for code, value in zip(nace_classes("nace2"), truth, strict=True)
        ]
    )


def _cell(table: pa.Table, scheme: str, region: str, industry: str, level: str, value: float) -> dict[str, object]:
    return {
        "source": "eurostat_sbs",
        "year": table.column("year")[0].as_py(),
        "region_scheme": scheme,
        "region_code": region,
        "region_vintage": 2016,
        "industry_scheme": "nace2",
        "industry_code": industry,
        "industry_level": level,
        "is_leaf": level == "division",
        "employment": value,
        "employment_low": value,
        "employment_high": value,
        "employment_reported": value,
        "employment_status": "reported",
        "employment_flag": "",
        "establishments": None,
        "payroll": None,
        "payroll_status": None,
        "currency_code": "EUR",
    }


def british(
    table: pa.Table, structures: Sequence[pa.Table] = (), groups_in: Sequence[str] = ()
) -> tuple[Floats, pa.Table]:
    """Estimate of Great Britain's classes from its divisions and national classes: regions × classes, and the rows."""
    given = divisions(table, groups_in=groups_in)
    done = estimate_europe(given, structures=[national_classes(table), *structures]).cells
    rows = done.filter(pc.and_(pc.equal(done["industry_level"], "class"), pc.equal(done["region_scheme"], "nuts2")))
    return matrix(rows, regions_of(table), nace_classes("nace2")), rows


def plain_spread(truth: Floats) -> Floats:
    """The nation's make-up of each division everywhere."""
    block, _ = blocks_of(nace_classes("nace2"), 2)
    return colocation.national_spread(truth, block)


def primary_clusters() -> Floats:
    """NACE classes × the 67 clusters: each class whole to the cluster of its largest weight by equal parts, 1/k.

    Between equals the lower cluster code.
    """
    table = nace2_cluster_equal()
    parts = _links(zip(table.from_code.tolist(), table.to_code.tolist(), table.weight.tolist(), strict=True))
    first = np.round(parts, 9).argmax(axis=1)
    result = np.zeros_like(parts)
    result[np.arange(first.size), first] = parts.max(axis=1) > 0
    return result


def weighted_clusters() -> Floats:
    """NACE classes × the 67 clusters by the weights that the product uses."""
    table = cluster_weights("nace2").concordance
    return _links(zip(table.from_code.tolist(), table.to_code.tolist(), table.weight.tolist(), strict=True))


def _links(links: Iterable[tuple[str, str, float]]) -> Floats:
    place = {code: number for number, code in enumerate(nace_classes("nace2"))}
    codes = {code: number for number, code in enumerate(sorted(c for c in cluster_kinds() if c > 0))}
    result = np.zeros((len(place), len(codes)))
    for nace, cluster, weight in links:
        if nace in place and int(cluster) in codes:
            result[place[nace], codes[int(cluster)]] = weight
    return result


@dataclass(frozen=True, slots=True)
class British:
    """Agreement with the truth over regions and the 51 traded clusters.

    `errors`, `jobs`: their sums by cluster; `relative`: error of each cell of at least 1,000 jobs; `true`, `found`,
    `false`: specialised cells (quotient ≥ 1.5 of mapped jobs, ≥ 1,000 jobs).
    """

    errors: Floats
    jobs: Floats
    relative: Floats
    true: int
    found: int
    false: int

    @property
    def wrong(self) -> float:
        """Sum of errors over the sum of jobs."""
        return float(self.errors.sum() / self.jobs.sum())

    @property
    def by_cluster(self) -> Floats:
        """The same by cluster; NaN where there are no jobs."""
        return np.divide(self.errors, self.jobs, out=np.full(self.jobs.size, np.nan), where=self.jobs > 0)

    @property
    def median(self) -> float:
        """Median relative error of large cells."""
        return float(np.median(self.relative))

    @property
    def p90(self) -> float:
        """Relative error that nine of ten large cells stay below."""
        return float(np.quantile(self.relative, 0.9))

    def and_also(self, other: "British") -> "British":
        """Both together, as of several years."""
        sums = (self.errors + other.errors, self.jobs + other.jobs, np.append(self.relative, other.relative))
        return British(*sums, self.true + other.true, self.found + other.found, self.false + other.false)


def compare_british(estimate: Floats, truth: Floats, weights: Floats) -> British:
    """Compare regions × classes with the truth, brought to clusters by `weights`."""
    made, real = estimate @ weights, truth @ weights
    error = np.abs(made - real)[:, : len(TRADED)]
    jobs = real[:, : len(TRADED)]
    large = jobs >= JOBS
    relative = error[large] / jobs[large]
    is_true, is_found = _specialised(real), _specialised(made)
    return British(
        error.sum(axis=0),
        jobs.sum(axis=0),
        relative,
        int(is_true.sum()),
        int((is_true & is_found).sum()),
        int((is_found & ~is_true).sum()),
    )


def _specialised(jobs: Floats) -> Flags:
    """Traded clusters in which a region has its weight 1.5 times the nation's, and 1,000 jobs."""
    nation = jobs.sum(axis=0)
    with np.errstate(invalid="ignore"):
        quotient = (jobs / jobs.sum(axis=1, keepdims=True)) / (nation / nation.sum())
    found: Flags = ((quotient >= QUOTIENT) & (jobs >= JOBS))[:, : len(TRADED)]
    return found


def states_from_divisions(tables: Mapping[int, pa.Table]) -> dict[tuple[int, str], British]:
    """States spread from NACE divisions by the nation's classes, as Europe's regions are: by year and method.

    The figures are those of Great Britain's test, of states and NACE classes.
    """
    years = [States.of(table) for table in tables.values()]
    made = {
        "plain": [plain_spread(year.amounts) for year in years],
        "pattern of other states": held_out_states(years, with_sizes=False),
        "the same and average sizes by division": held_out_states(years, with_sizes=True),
    }
    return {
        (year, method): compare_british(estimate, own.amounts, primary_clusters())
        for method, estimates in made.items()
        for year, own, estimate in zip(tables, years, estimates, strict=True)
    }


@dataclass(frozen=True, slots=True)
class American:
    """Agreement over states and traded clusters; arrays by cluster, NaN where nothing can be compared.

    `rank`: rank correlation of the quotients within a cluster; `true`, `found`, `flagged`: strong cells that are, that
    were also found, that the estimate calls so.
    """

    wrong: Floats
    rank: Floats
    true: Floats
    found: Floats
    flagged: Floats
    total_wrong: float

    @property
    def rank_correlation(self) -> float:
        """Mean over the clusters."""
        return float(np.nanmean(self.rank))

    @property
    def precision(self) -> float:
        """Share of the strong flags that are right."""
        return float(self.found.sum() / self.flagged.sum())

    @property
    def recall(self) -> float:
        """Share of the strong cells that are found."""
        return float(self.found.sum() / self.true.sum())


def american(table: pa.Table, digits: int = 3, *, is_learned: bool = False, by_counts: bool = False) -> American:
    """States spread from `digits` digits by the nation's six-digit industries, against their own.

    `is_learned`: bent by a pattern fitted to the other states, as Europe is by one fitted to all of them. `by_counts`:
    instead by establishments of each industry times their average size, which Europe does not publish. The strong flag
    uses the true establishments.
    """
    detail = table.filter(
        pc.and_(pc.equal(table["industry_level"], "national_industry"), pc.is_valid(table["employment"]))
    )
    regions = regions_of(detail)
    own = naics_cluster(2017)
    leaves = sorted(set(detail["industry_code"].to_pylist()) & own.keys())
    truth = matrix(detail, regions, leaves)
    counts = matrix(detail, regions, leaves, "establishments")
    block, _ = blocks_of(leaves, digits)
    totals = colocation.block_sums(truth, block)
    shares = colocation.shares(truth.sum(axis=0), block)
    ratios = np.ones(truth.shape)
    if is_learned:
        profiles = colocation.profile(totals)
        for fold in range(FOLDS):
            out = np.arange(len(regions)) % FOLDS == fold
            pattern = colocation.fit([truth[~out]], block, [profiles[~out]])
            ratios[out] = colocation.Pattern((), (), pattern, np.zeros(block.size)).ratios(profiles[out])
    estimate = colocation.spread(totals, shares, block, ratios)
    if by_counts:
        size = colocation.ratio(truth.sum(axis=0), counts.sum(axis=0))
        expected = counts * size
        estimate = totals[:, block] * colocation.ratio(expected, colocation.block_sums(expected, block)[:, block])
    weights = np.array([[own[leaf] == cluster for cluster in TRADED] for leaf in leaves], float)
    return _compare_american(estimate @ weights, truth @ weights, counts @ weights)


def _compare_american(made: Floats, real: Floats, establishments: Floats) -> American:
    quotients = [_quotients(made), _quotients(real)]
    strong = [_strong(jobs, establishments, lq) for jobs, lq in zip((made, real), quotients, strict=True)]
    rank = np.full(real.shape[1], np.nan)
    for cluster in range(real.shape[1]):
        pair = [lq[:, cluster] for lq in quotients]
        if all(np.ptp(one) > 0 for one in pair):
            rank[cluster] = np.corrcoef(rankdata(pair[0]), rankdata(pair[1]))[0, 1]
    error = np.abs(made - real)
    return American(
        error.sum(axis=0) / real.sum(axis=0),
        rank,
        strong[1].sum(axis=0).astype(float),
        (strong[0] & strong[1]).sum(axis=0).astype(float),
        strong[0].sum(axis=0).astype(float),
        float(error.sum() / real.sum()),
    )


def _quotients(jobs: Floats) -> Floats:
    nation = jobs.sum(axis=0)
    result: Floats = (jobs / jobs.sum(axis=1, keepdims=True)) / (nation / nation.sum())
    return result


def _strong(jobs: Floats, establishments: Floats, quotient: Floats) -> Flags:
    """The American rule: above the lower quarter in jobs and establishments, in the upper quarter in quotient, ≥ 1."""
    flags = np.zeros(jobs.shape, bool)
    for cluster in range(jobs.shape[1]):
        some = jobs[:, cluster] > 0
        one, count, lq = jobs[:, cluster], establishments[:, cluster], quotient[:, cluster]
        flags[:, cluster] = (
            some
            & (one > np.quantile(one[some], 0.25))
            & (count > np.quantile(count[some], 0.25))
            & (lq >= np.quantile(lq[some], 0.75))
            & (lq >= 1)
        )
    return flags
