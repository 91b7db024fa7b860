"""France: private employees and establishments by commune and five-digit activity (APE), from Urssaf.

One row a commune and activity, a pair of columns a year. The source withholds nothing: most cells are one
establishment. Communes are therefore added up to départements (NUTS 3) at once and never shown. APE codes start with
the four digits of their NACE class. Agency workers stand under the agency (78.20), not where they work.

Evidence: one employment zone, 2006 to 2022, as exported with labels; the whole table, the technical header and the
address from documentation.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from etl.columns import concat, constant
from etl.errors import SourceFormatError
from etl.reference.nuts import is_extra_regio, nuts_regions
from etl.sources import nace_codes
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side, years_on_offer
from etl.sources.bodies import first_line, refuse_page
from etl.sources.completeness import require_all
from etl.sources.tabular import BLOCK_BYTES, CODE, Block, CodeNumbers, open_text

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_ADDRESS = (
    "https://open.urssaf.fr/api/explore/v2.1/catalog/datasets/"
    "etablissements-et-effectifs-salaries-au-niveau-commune-x-ape-last/exports/csv?use_labels=true"
)

#: Parts of the country, read only where the whole is not to be had.
_EXTRACTS = ('where=code_zone_d_emploi="2815" and code_departement="76"',)

NUTS_VERSION = 2021

#: Départements in each NUTS 2 region, in the order of their NUTS 3 codes (FRB01 Cher 18, FRB02 Eure-et-Loir 28 …).
_DEPARTEMENTS = {
    "FR10": "75 77 78 91 92 93 94 95",
    "FRB0": "18 28 36 37 41 45",
    "FRC1": "21 58 71 89",
    "FRC2": "25 39 70 90",
    "FRD1": "14 50 61",
    "FRD2": "27 76",
    "FRE1": "59 62",
    "FRE2": "02 60 80",
    "FRF1": "67 68",
    "FRF2": "08 10 51 52",
    "FRF3": "54 55 57 88",
    "FRG0": "44 49 53 72 85",
    "FRH0": "22 29 35 56",
    "FRI1": "24 33 40 47 64",
    "FRI2": "19 23 87",
    "FRI3": "16 17 79 86",
    "FRJ1": "11 30 34 48 66",
    "FRJ2": "09 12 31 32 46 65 81 82",
    "FRK1": "03 15 43 63",
    "FRK2": "01 07 26 38 42 69 73 74",
    "FRL0": "04 05 06 13 83 84",
    "FRM0": "2A 2B",
}
_OVERSEAS = {"971": "FRY10", "972": "FRY20", "973": "FRY30", "974": "FRY40", "976": "FRY50"}

NUTS_OF_DEPARTEMENT = {
    departement: f"{region}{number}"
    for region, members in _DEPARTEMENTS.items()
    for number, departement in enumerate(members.split(), 1)
} | _OVERSEAS

#: Mayotte is not in every edition.
OFTEN_ABSENT = frozenset({"FRY50"})

#: Territories outside NUTS: Saint-Pierre-et-Miquelon, Saint-Barthélemy, Saint-Martin.
IGNORED = frozenset({"975", "977", "978"})

_ESTABLISHMENTS = "nombre_d_etablissements_"
_EMPLOYEES = "effectifs_salaries_"
_CODES = ("code_departement", "code_ape")


class FrUrssaf(Dataset):
    """Private employees at the end of December and their establishments, by NACE class and NUTS 3 region and above."""

    name = "fr_urssaf"
    source = "fr_urssaf"
    side: ClassVar[Side] = "eu"
    title = "Establishments and employees of the private sector by commune and APE"
    publisher = "Urssaf Caisse nationale"
    years = years_on_offer(2006, 3)
    newest_seen: ClassVar[int | None] = 2025

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The whole table, which holds every year, and the extracts that stand in for it."""
        if not set(years) & set(self.years):
            return []
        extracts = [Request(self.name, f"{_ADDRESS}&{part}", "extract", "csv", better=_ADDRESS) for part in _EXTRACTS]
        return [Request(self.name, _ADDRESS, "whole", "csv"), *extracts]

    def sample(self, years: Iterable[int]) -> list[Request]:
        """An extract: the whole table is large."""
        return [request for request in self.requests(years) if request.kind == "extract"]

    def check(self, file: ArchivedFile) -> None:
        """Refuse an answer without the codes, or without a year's pair of columns."""
        refuse_page(file)
        names = _names(file)
        missing = [name for name in _CODES if name not in names]
        if missing or not _years(file):
            raise SourceFormatError(
                f"{file.url}, line 1: no column {', '.join(missing) or 'of employees by year'}; the header begins "
                f"{', '.join(names[:6])}"
            )

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Years and départements, and the employees of each year. Reads every code on the way."""
        years = _years(file)
        departements, classes = CodeNumbers(_region), CodeNumbers(_class)
        columns = {f"employees {year}": f"{_EMPLOYEES}{year}" for year in years}
        amounts = dict.fromkeys(columns, 0.0)
        rows = 0
        for block in _blocks(file, dict.fromkeys(_CODES, CODE) | dict.fromkeys(columns.values(), pa.int64())):
            rows += block.rows.num_rows
            departements.of(block, "code_departement")
            classes.of(block, "code_ape")
            for name, column in columns.items():
                amounts[name] += float(np.nansum(block.floats(column)))
        if file.kind == "whole":
            expected = set(NUTS_OF_DEPARTEMENT.values()) - OFTEN_ABSENT
            require_all(file.url, "départements", expected, set(departements.values), rows)
        return {"years": [str(year) for year in years], "regions": sorted(departements.values), **amounts}

    def by_year(self, files: Sequence[ArchivedFile]) -> dict[int, list[ArchivedFile]]:
        """Each file under every year it has columns for."""
        years: dict[int, list[ArchivedFile]] = {}
        for file in _chosen(files):
            for year in _years(file):
                years.setdefault(year, []).append(file)
        return years

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Add communes and activities up to regions and NACE classes (table region_industry).

        A region is made only where all its départements are in the file. Of an extract, départements alone are made:
        their figures count a part, so they are lower bounds (`bounded`, upper bound unknown). The same where an
        establishment is listed without a number of employees. Raises SourceFormatError with file, line and code.
        """
        chosen = self.by_year(files).get(year or 0, [])
        if year is None or not chosen:
            raise SourceFormatError(f"{self.name}: no file has figures of {year}")
        tables: list[pa.Table] = []
        notes: list[str] = []
        for file in chosen:
            departements, classes, sums, left_out = _sums(file, year)
            is_part = file.kind != "whole"
            lengths = (5,) if is_part else (5, 4, 3, 2)
            tables += [_table(_at_level(departements, length), classes, sums, year, is_part) for length in lengths]
            notes += _notes(is_part, departements, sums, left_out)
        return Parsed({"region_industry": concat(tables)}, notes)


class _Sums:
    """Establishments, employees and establishments without a number, by département and class (both by number)."""

    def __init__(self) -> None:
        self.place = np.empty((2, 0), np.int64)
        self.figures = np.empty((3, 0))

    def add(self, place: Numbers, figures: Floats) -> None:
        """Add the cells of a block, so that never more than the sums are held."""
        place = np.concatenate([self.place, place], axis=1)
        figures = np.concatenate([self.figures, figures], axis=1)
        self.place, group = np.unique(place, axis=1, return_inverse=True)
        self.figures = np.stack([np.bincount(group.ravel(), row, self.place.shape[1]) for row in figures])


def _chosen(files: Sequence[ArchivedFile]) -> list[ArchivedFile]:
    """The whole table if it is there, else the extracts: never both, which would count twice."""
    whole = [file for file in files if file.kind == "whole"]
    return whole or sorted(files, key=lambda file: file.url)


def _names(file: ArchivedFile) -> list[str]:
    """Column names in the technical spelling, whichever of the two headers the file has."""
    cells = next(csv.reader([first_line(file)], delimiter=";"), [])
    plain = (unicodedata.normalize("NFKD", cell).encode("ascii", "ignore").decode().lower() for cell in cells)
    return [re.sub(r"[^a-z0-9]+", "_", cell.replace("'", " ")).strip("_") for cell in plain]


def _years(file: ArchivedFile) -> list[int]:
    names = set(_names(file))
    found = [name.removeprefix(_EMPLOYEES) for name in names if name.startswith(_EMPLOYEES)]
    return sorted(int(year) for year in found if year.isdigit() and _ESTABLISHMENTS + year in names)


def _blocks(file: ArchivedFile, columns: dict[str, pa.DataType]) -> Iterator[Block]:
    names = _names(file)
    with open_text(file) as stream:
        stream.readline()
        try:
            reader = pacsv.open_csv(
                stream,
                read_options=pacsv.ReadOptions(column_names=names, block_size=BLOCK_BYTES),
                parse_options=pacsv.ParseOptions(delimiter=";"),
                convert_options=pacsv.ConvertOptions(
                    include_columns=list(columns), column_types=columns, null_values=[""], strings_can_be_null=False
                ),
            )
            line = 2
            for rows in reader:
                yield Block(file, line, rows)
                line += rows.num_rows
        except pa.ArrowInvalid as error:
            raise SourceFormatError(f"{file.url}: {error}") from error


def _sums(file: ArchivedFile, year: int) -> tuple[list[str], list[str], _Sums, float]:
    """NUTS 3 regions, classes, their sums, and the employees left out with territories outside NUTS."""
    departements, classes, sums = CodeNumbers(_region), CodeNumbers(_class), _Sums()
    left_out = 0.0
    pair = [f"{_ESTABLISHMENTS}{year}", f"{_EMPLOYEES}{year}"]
    for block in _blocks(file, dict.fromkeys(_CODES, CODE) | dict.fromkeys(pair, pa.int64())):
        region, industry = departements.of(block, "code_departement"), classes.of(block, "code_ape")
        units, employees = block.floats(pair[0]), block.floats(pair[1])
        is_there = ~np.isnan(units) | ~np.isnan(employees)
        left_out += float(np.nansum(employees[region < 0]))
        kept = is_there & (region >= 0)
        unknown = np.where(np.isnan(employees), np.nan_to_num(units), 0.0)
        figures = np.stack([np.nan_to_num(units), np.nan_to_num(employees), unknown])
        sums.add(np.stack([region, industry]).astype(np.int64)[:, kept], figures[:, kept])
    return departements.values, classes.values, sums, left_out


def _at_level(departements: Sequence[str], length: int) -> list[str | None]:
    """The region of each département at the level of this code length; None where a part of that region is missing."""
    members = [code for code in nuts_regions(NUTS_VERSION) if code.startswith("FR") and len(code) == 5]
    there = set(departements)
    missing = {code[:length] for code in members if not is_extra_regio(code) and code not in there}
    return [None if code[:length] in missing else code[:length] for code in departements]


def _table(regions: Sequence[str | None], classes: Sequence[str], sums: _Sums, year: int, is_part: bool) -> pa.Table:
    names = sorted({name for name in regions if name is not None})
    number = np.array([-1 if name is None else names.index(name) for name in regions], np.int64)[sums.place[0]]
    kept = number >= 0
    cells, group = np.unique(number[kept] * len(classes) + sums.place[1][kept], return_inverse=True)
    count = cells.size
    units, employees, unknown = (np.bincount(group, row, count) for row in sums.figures[:, kept])
    is_partial = (unknown > 0) | is_part
    figure = pa.array(employees)
    return pa.table(
        {
            "source": constant("fr_urssaf", count),
            "year": constant(year, count),
            "region_scheme": constant(f"nuts{len(names[0]) - 2}" if names else "nuts3", count),
            "region_code": _spelled(cells // len(classes), names),
            "region_vintage": constant(NUTS_VERSION, count),
            "industry_scheme": constant("nace2", count),
            "industry_code": _spelled(cells % len(classes), classes),
            "industry_level": constant("class", count),
            "is_leaf": pa.array(np.ones(count, np.bool_)),
            "employment": figure,
            "employment_low": figure,
            "employment_high": pa.array(np.where(is_partial, np.nan, employees), from_pandas=True),
            "employment_reported": figure,
            "employment_status": _spelled(is_partial.astype(np.int64), ["reported", "bounded"]),
            "employment_flag": constant("", count),
            "establishments": pa.array(units),
            "payroll": pa.nulls(count, pa.float64()),
            "payroll_status": pa.nulls(count, pa.string()),
            "currency_code": constant("EUR", count),
        }
    )


def _spelled(numbers: Numbers, values: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), pa.array(values, pa.string()))


def _notes(is_part: bool, departements: Sequence[str], sums: _Sums, left_out: float) -> list[str]:
    notes = []
    if is_part:
        notes.append(f"an extract, not the whole of {' '.join(sorted(departements))}: its figures are lower bounds")
    if unknown := sums.figures[2].sum():
        notes.append(f"{unknown:,.0f} establishments are listed without a number of employees and count none")
    if left_out:
        notes.append(f"{left_out:,.0f} employees of {', '.join(sorted(IGNORED))} were left out: outside NUTS")
    return notes


def _region(code: str) -> str | None:
    if code in IGNORED:
        return None
    if code in NUTS_OF_DEPARTEMENT:
        return NUTS_OF_DEPARTEMENT[code]
    raise LookupError(f"département {code!r} is in no NUTS 3 region and nobody declared what to do with it")


def _class(code: str) -> str:
    found = nace_codes.class_of(code) if re.fullmatch(r"\d{4}[A-Z]", code) else None
    if found is None:
        raise LookupError(f"activity {code!r} has no NACE class and nobody declared what to do with it")
    return found
