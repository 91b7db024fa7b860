"""US Cluster Mapping: the portal's rows of region and cluster, its cluster definitions and its list of regions.

Addresses, all under `https://clustermapping.us/data`:

* `/region/TYPE/CODE/YEAR/all?limit=10000&sort=id ASC&start=N`: rows of region and cluster, TYPE country (CODE 98),
  state, economic, msa, county (CODE all), YEAR 1998 to 2016. The portal cuts at 10,000 rows without saying so, hence
  the pages: a full page has a next one;
* `/meta/clusters`: the 67 clusters with their industries; `/region`: all regions with their counties.

Answers are JSON lists of objects. Exactly one hit comes as an object instead of a list; what is missing has no key;
codes and years are strings; names have blanks at the end.

Meaning: `emp_tl` is employment with withheld cells filled by the middle of their range, `emp_reported_tl` what was
published; `ap_tl` is payroll in thousands of dollars, 0 where withheld; a wage of 0 means none is known. Economic areas
are those of 2004, metropolitan areas those delineated from 2009 to 2013 (here 2013), counties those of 2010 (the list
in force from 2008, here 2008).

Evidence: answers of 2016 for states and five economic areas, definitions and regions of October 2018; other years and
types from the portal's source code. The portal may be gone, and has 6 GB of answers: it is asked only where it is named
(`is_optional`). Nothing depends on it but the comparison; what was archived stays.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from etl import reference
from etl.contracts import contract
from etl.errors import ImplausibleError, SourceFormatError
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.bodies import head, refuse_page
from etl.sources.completeness import require_all
from etl.sources.uscm_lists import compare_clusters, compare_regions

BASE = "https://clustermapping.us/data"
PAGE_ROWS = 10_000

AREAS: dict[str, tuple[str, str, int]] = {
    "country": ("98", "us_nation", 2020),
    "state": ("all", "us_state", 2020),
    "economic": ("all", "us_economic_area", 2004),
    "msa": ("all", "us_cbsa", 2013),
    "county": ("all", "us_county", 2008),
}
"""The portal's region type to the code asked for, our scheme and its vintage."""

DISTRICT = "11"
"""The District of Columbia is no state here: the portal has it as a county alone."""

NATION = {"98": "US"}

Row = dict[str, Any]


COUNTS = ("emp_tl", "emp_reported_tl", "est_tl", "ap_tl")
"""Fields that count persons, establishments and thousands of dollars."""


def _is_known(value: float | None) -> float | None:
    return value or None


COLUMNS: dict[str, tuple[str, Callable[[Any], Any] | None]] = {
    "employment": ("emp_tl", None),
    "employment_reported": ("emp_reported_tl", None),
    "establishments": ("est_tl", None),
    "average_wage": ("private_wage_tf", _is_known),
    "location_quotient": ("lq_tf", None),
    "region_share": ("region_emp_per_tf", None),
    "cluster_share": ("cluster_emp_per_tf", None),
    "is_qualifying": ("qualifying_b", None),
    "is_significant": ("significant_b", None),
    "is_strong": ("strong_b", None),
    "is_strong_top_decile": ("strong10_b", None),
    "employment_rank": ("emp_tl_rank_i", None),
    "employment_percentile": ("emp_tl_per_rank_i", None),
    "establishments_rank": ("est_tl_rank_i", None),
    "establishments_percentile": ("est_tl_per_rank_i", None),
    "average_wage_rank": ("private_wage_tf_rank_i", None),
    "average_wage_percentile": ("private_wage_tf_per_rank_i", None),
    "location_quotient_rank": ("lq_tf_rank_i", None),
    "location_quotient_percentile": ("lq_tf_per_rank_i", None),
    "published_at": ("timestamp", None),
}
"""Our column to the portal's field."""


class UsClusterMapping(Dataset):
    """The portal's answers, kept to compare ours with."""

    name: ClassVar[str] = "us_cluster_mapping"
    source: ClassVar[str | None] = "us_cluster_mapping"
    side: ClassVar[Side] = "us"
    title: ClassVar[str] = "US Cluster Mapping: regions by cluster, definitions, regions"
    publisher: ClassVar[str] = "Institute for Strategy and Competitiveness, Harvard Business School"
    years: ClassVar[Sequence[int]] = range(1998, 2017)
    newest_seen: ClassVar[int | None] = 2016
    is_optional: ClassVar[bool] = True
    megabytes: ClassVar[float] = 320

    def requests(self, years: Iterable[int]) -> list[Request]:
        """Definitions, regions, and for each year on offer the first page of each type of region."""
        lists = [Request(self.name, f"{BASE}/{path}", kind, "json") for path, kind in LISTS]
        return lists + [self._page(kind, year, 0) for year in years if year in self.years for kind in AREAS]

    def sample(self, years: Iterable[int]) -> list[Request]:
        """The definitions, and the rows of all states in these years."""
        return [request for request in self.requests(years) if request.kind in ("clusters", "state")]

    def _page(self, kind: str, year: int, start: int) -> Request:
        path = f"region/{kind}/{AREAS[kind][0]}/{year}/all"
        return Request(self.name, f"{BASE}/{path}?limit={PAGE_ROWS}&sort=id ASC&start={start}", kind, "json", year)

    def follow(self, file: ArchivedFile) -> list[Request]:
        """The page after a full one."""
        start = re.search(r"[?&]start=(\d+)", file.url)
        if start is None or file.year is None or len(_documents(file)) < PAGE_ROWS:
            return []
        return [self._page(file.kind, file.year, int(start[1]) + PAGE_ROWS)]

    def check(self, file: ArchivedFile) -> None:
        """Refuse what is no list of the portal's documents; only a page past the last row may be empty."""
        refuse_page(file)
        start = head(file).removeprefix(b"\xef\xbb\xbf").lstrip()
        if file.year is not None and re.fullmatch(rb"\[\s*\]\s*", start):
            return
        mark = b'"cluster_code_t"' if file.kind == "clusters" else b'"region_code_t"'
        if not start.startswith((b"[", b"{")) or mark not in start:
            raise SourceFormatError(f"{file.url}: the answer is no list of documents with {mark.decode()}")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Of a page its regions and employment; of the definitions the clusters; of the list its regions."""
        documents = _documents(file)
        if file.year is not None:
            rows = _distinct(_rows(file, file.year), file.year)
            regions = {row["region_code_t"] for row in documents}
            _require_whole(file, documents)
            return {"regions": sorted(regions), "employment": float(pc.sum(rows.column("employment")).as_py() or 0)}
        if file.kind == "clusters":
            return {"clusters": sorted(document["cluster_code_t"] for document in documents)}
        states = {document["region_code_t"] for document in documents if document["region_type_t"] == "state"}
        require_all(file.url, "states", set(reference.states()) - {DISTRICT}, states, len(documents))
        return {"regions": sorted(document["id"] for document in documents if document["region_type_t"] in AREAS)}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read a year's pages into `published_region_cluster`; without a year, compare the lists with ours (notes).

        Raises SourceFormatError for an unknown cluster, another year, or a row that two pages give.
        """
        if year is None:
            notes = [note for file in files for note in COMPARE[file.kind](_documents(file))]
            return Parsed({}, notes)
        tables = [_rows(file, year) for file in sorted(files, key=lambda file: file.url)]
        tables = [table for table in tables if table.num_rows]
        if not tables:
            return Parsed({})
        return Parsed({"published_region_cluster": _distinct(pa.concat_tables(tables), year)})


def _require_whole(file: ArchivedFile, documents: list[Row]) -> None:
    """Every region has all clusters, but where a page begins or ends amid one."""
    clusters: dict[str, set[str]] = {}
    for row in documents:
        clusters.setdefault(row["region_code_t"], set()).add(row["cluster_code_t"])
    expected = {str(code) for code in reference.cluster_codes() if code > 0}
    is_first, is_last = file.url.endswith("start=0"), len(documents) < PAGE_ROWS
    first, last = next(iter(clusters), ""), next(reversed(clusters), "")
    for region, found in clusters.items():
        if (region != first or is_first) and (region != last or is_last):
            require_all(f"{file.url}, region {region}", "clusters", expected, found, len(documents))
    if file.kind == "state" and is_first and is_last:
        require_all(file.url, "states", set(reference.states()) - {DISTRICT}, set(clusters), len(documents))
    employment, reported = (sum(row.get(name, 0) for row in documents) for name in ("emp_tl", "emp_reported_tl"))
    if employment < reported:
        raise ImplausibleError(f"{file.url}: {reported:,} persons were reported of {employment:,} that there are")


LISTS = (("meta/clusters", "clusters"), ("region", "regions"))
COMPARE: dict[str, Callable[[list[Row]], list[str]]] = {"clusters": compare_clusters, "regions": compare_regions}


def _documents(file: ArchivedFile) -> list[Row]:
    """The objects of an answer; one alone comes without a list around it."""
    try:
        answer = json.loads(file.path.read_bytes())
    except ValueError as error:
        raise SourceFormatError(f"{file.url}: the answer is no JSON ({error})") from error
    documents = [answer] if isinstance(answer, dict) else answer
    if not isinstance(documents, list) or not all(isinstance(document, dict) for document in documents):
        raise SourceFormatError(f"{file.url}: the answer is no JSON list of objects")
    return documents


def _rows(file: ArchivedFile, year: int) -> pa.Table:
    """The clusters of one page; rows of subclusters are left out."""
    _, scheme, vintage = AREAS[file.kind]
    rows = [row for row in _checked(_documents(file), file, year) if not row.get("subcluster_b")]
    schema = contract("published_region_cluster").arrow_schema
    columns: dict[str, list[Any]] = {
        "portal": [UsClusterMapping.name] * len(rows),
        "year": [year] * len(rows),
        "region_scheme": [scheme] * len(rows),
        "region_code": [NATION.get(row["region_code_t"], row["region_code_t"]) for row in rows],
        "region_vintage": [vintage] * len(rows),
        "cluster_code": [int(row["cluster_code_t"]) for row in rows],
        "payroll": [_payroll(row) for row in rows],
        "currency_code": ["USD"] * len(rows),
    }
    for name, (found, convert) in COLUMNS.items():
        values = [row.get(found) for row in rows]
        columns[name] = [convert(value) for value in values] if convert else values
    try:
        return pa.table({name: pa.array(values, schema.field(name).type) for name, values in columns.items()})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SourceFormatError(f"{file.url}: a field is not of the type it used to be ({error})") from error


def _distinct(table: pa.Table, year: int) -> pa.Table:
    """The rows as they are. Raises SourceFormatError where two have the same key."""
    key = list(contract("published_region_cluster").key)
    if table.select(key).group_by(key).aggregate([]).num_rows != table.num_rows:
        raise SourceFormatError(f"US Cluster Mapping, {year}: the same row comes twice; ask for its pages again")
    return table


def _payroll(row: Row) -> float | None:
    """Dollars; none where the portal shows 0 beside employment, which means that it is withheld."""
    thousands = row.get("ap_tl")
    if thousands is None or (thousands == 0 and row.get("emp_tl")):
        return None
    return float(thousands) * 1000


def _checked(rows: list[Row], file: ArchivedFile, year: int) -> list[Row]:
    """The rows as they are. Raises SourceFormatError for an unknown cluster, another type or another year."""
    known = {str(code) for code in reference.cluster_codes()}
    for number, row in enumerate(rows, start=1):
        missing = [name for name in ("region_code_t", "cluster_code_t", "year_t", "emp_tl") if name not in row]
        if missing:
            raise SourceFormatError(f"{file.url}, object {number}: no {', '.join(missing)}")
        negative = [name for name in COUNTS if isinstance(count := row.get(name), int | float) and count < 0]
        if negative:
            raise SourceFormatError(f"{file.url}, object {number}: {', '.join(negative)} is negative")
        if row["cluster_code_t"] not in known:
            raise SourceFormatError(f"{file.url}, object {number}: unknown cluster {row['cluster_code_t']!r}")
        if row["year_t"] != str(year) or row.get("region_type_t") != file.kind:
            raise SourceFormatError(
                f"{file.url}, object {number}: {row.get('region_type_t')} of {row['year_t']} instead of "
                f"{file.kind} of {year}"
            )
    return rows
