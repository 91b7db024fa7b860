"""European Cluster Observatory and its successors: tables of regional clusters, where a file or address is configured.

No edition has a stable address or format, so the setting `observatory` describes the table (`etl.sources.configured`).
Editions differ in taxonomy, regions and rules for strength: figures of two editions are no time series.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import pyarrow as pa

from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.reference.nuts import NUTS_VERSIONS, nuts_regions, nuts_version_of
from etl.settings import Settings
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.configured import TableSettings, check_table, cluster_of, number, table_rows, table_settings

_FIGURES = frozenset(column.name for column in contract("published_region_cluster").columns if column.type == "double")
_REQUIRED = frozenset({"region_code", "cluster", "year"})
_KNOWN = _REQUIRED | _FIGURES | {"currency_code"}


class Observatory(Dataset):
    """The portal's figures by NUTS region and cluster, under our column names (table published_region_cluster)."""

    name = "observatory"
    source = "observatory"
    side: ClassVar[Side] = "eu"
    title = "European Cluster Observatory and Panorama tables"
    publisher = "European Commission, cluster observatories"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The configured table; none where it is not configured."""
        settings = _settings()
        return [settings.request(self.name)] if settings else []

    def check(self, file: ArchivedFile) -> None:
        """Refuse a table without the declared columns."""
        check_table(file, _configured(file))

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Years and regions of the table."""
        found = list(table_rows(file, _configured(file)))
        years = {str(_year(file, line, row)) for line, row in found}
        return {
            "years": sorted(years),
            "regions": sorted({_region(file, line, row["region_code"]) for line, row in found}),
        }

    def by_year(self, files: Sequence[ArchivedFile]) -> dict[int, list[ArchivedFile]]:
        """Each table under every year in its rows."""
        years: dict[int, list[ArchivedFile]] = {}
        for file in files:
            for year in sorted({_year(file, line, row) for line, row in table_rows(file, _configured(file))}):
                years.setdefault(year, []).append(file)
        return years

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read one year. The NUTS version is told country by country from the codes of that year.

        Raises SourceFormatError with file and line for an unknown cluster or region and for a cell that is no number.
        """
        found = [row for file in files for row in self._rows(file, year)]
        codes = {str(row["region_code"]) for row in found}
        versions = {country: nuts_version_of(country, codes, year or 0) for country in {code[:2] for code in codes}}
        for row in found:
            row["region_vintage"] = versions[str(row["region_code"])[:2]]
        return Parsed({"published_region_cluster": contract("published_region_cluster").conform(_table(found))})

    def _rows(self, file: ArchivedFile, year: int | None) -> list[dict[str, object]]:
        settings = _configured(file)
        result: list[dict[str, object]] = []
        for line, row in table_rows(file, settings):
            if _year(file, line, row) != year:
                continue
            try:
                cluster_code = cluster_of(row["cluster"], settings)
            except LookupError as reason:
                raise SourceFormatError(f"{file.url}, line {line}: {reason.args[0]}") from None
            if cluster_code is None:
                continue
            figures = {name: number(file, line, row[name]) for name in sorted(_FIGURES & row.keys())}
            result.append(
                {
                    "portal": self.name,
                    "year": year,
                    "region_scheme": f"nuts{len(row['region_code']) - 2}",
                    "region_code": _region(file, line, row["region_code"]),
                    "cluster_code": cluster_code,
                    "currency_code": row.get("currency_code", "EUR"),
                    **figures,
                }
            )
        return result


def _settings() -> TableSettings | None:
    return table_settings(Settings().observatory, _KNOWN, _REQUIRED)


def _configured(file: ArchivedFile) -> TableSettings:
    settings = _settings()
    if settings is None:
        raise SourceFormatError(f"{file.url}: the setting that says how to read this table is gone")
    return settings


def _year(file: ArchivedFile, line: int, row: dict[str, str]) -> int:
    if not row["year"].isdigit():
        raise SourceFormatError(f"{file.url}, line {line}: {row['year']!r} is no year")
    return int(row["year"])


def _region(file: ArchivedFile, line: int, code: str) -> str:
    if not any(code in nuts_regions(version) for version in NUTS_VERSIONS):
        raise SourceFormatError(f"{file.url}, line {line}: {code!r} is in no NUTS version")
    return code


def _table(rows: list[dict[str, object]]) -> pa.Table:
    schema = contract("published_region_cluster").arrow_schema
    names = rows[0].keys() if rows else schema.names
    return pa.Table.from_pylist(rows, pa.schema([schema.field(name) for name in names]))
