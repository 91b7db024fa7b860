"""Tables without a stable address: a file or address given in the settings, with the meaning of its columns declared.

The setting names a JSON file:

    {"address": "https://… or a path", "delimiter": ";", "columns": {"region_code": "NUTS code", "cluster": "Sector"},
     "constants": {"year": "2014"}, "clusters": {"Automobiles": 4, "Other": null}}

`columns` maps our names to those in the table's header, `constants` gives a value to names the table has no column
for, `clusters` places names of clusters that are not ours; null leaves their rows out.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from etl.errors import SourceFormatError, UsageError
from etl.reference.store import rows as reference_rows
from etl.sources.base import ArchivedFile, Request
from etl.sources.bodies import refuse_page, unpacked
from etl.sources.workbooks import named_sheet


class TableSettings(BaseModel):
    """Where a table is, and which of its columns is what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str
    delimiter: str = ","
    sheet: str | None = None
    columns: Mapping[str, str]
    constants: Mapping[str, str] = {}
    clusters: Mapping[str, int | None] = {}

    @property
    def content(self) -> str:
        """What the body must be: a workbook where a sheet is named, else a table of text."""
        return "xlsx" if self.sheet else "csv"

    def request(self, dataset: str) -> Request:
        """The one request for the table; a path becomes a file address."""
        is_address = "://" in self.address
        return Request(
            dataset, self.address if is_address else Path(self.address).resolve().as_uri(), "table", self.content
        )


def table_settings(path: str | None, known: frozenset[str], required: frozenset[str]) -> TableSettings | None:
    """Read the JSON file that a setting names; None where the setting is empty: the table is not configured.

    Raises UsageError where the file cannot be read, declares a name that is not in `known`, or lacks a `required` one.
    """
    if not path:
        return None
    try:
        settings = TableSettings.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: the description of a table cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"{path}: {where}: {first['msg']}") from error
    declared = settings.columns.keys() | settings.constants.keys()
    if unknown := sorted(declared - known):
        raise UsageError(f"{path}: nobody knows a column {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    if missing := sorted(required - declared):
        raise UsageError(f"{path}: no column is declared for {', '.join(missing)}")
    return settings


def description_id(path: str | None) -> str:
    """Hash of the description that a setting names: what is read depends on it as on the table. Empty for none."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError as error:
        raise UsageError(f"{path}: the description of a table cannot be read ({error.strerror})") from error


def check_table(file: ArchivedFile, settings: TableSettings) -> None:
    """Refuse a table without a declared column. Raises SourceFormatError."""
    refuse_page(file)
    header = next(_cells(file, settings), [])
    if missing := [name for name in settings.columns.values() if name not in header]:
        raise SourceFormatError(
            f"{file.url}, line 1: no column {', '.join(missing)}; the header is {', '.join(header[:12]) or 'empty'}"
        )


def table_rows(file: ArchivedFile, settings: TableSettings) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows under our names, each with its line; empty rows are left out, cells are trimmed.

    Raises SourceFormatError for a missing column and for a row longer than the header.
    """
    check_table(file, settings)
    cells = _cells(file, settings)
    header = next(cells)
    places = {name: header.index(column) for name, column in settings.columns.items()}
    for line, row in enumerate(cells, 2):
        if len(row) > len(header) and any(cell for cell in row[len(header) :]):
            raise SourceFormatError(f"{file.url}, line {line}: more cells than the header has")
        if any(row):
            found = {name: row[place] if place < len(row) else "" for name, place in places.items()}
            yield line, {**settings.constants, **found}


def cluster_of(name: str, settings: TableSettings) -> int | None:
    """The cluster of a name or code: declared ones first, else ours by code, name or short name; None to leave out.

    Raises LookupError for a name that is neither.
    """
    if name in settings.clusters:
        return settings.clusters[name]
    for row in reference_rows("cluster"):
        if name.casefold() in {row[key].casefold() for key in ("cluster_code", "cluster_name", "short_name")}:
            return int(row["cluster_code"])
    raise LookupError(f"{name!r} is none of the clusters, and `clusters` does not place it")


def number(file: ArchivedFile, line: int, text: str) -> float | None:
    """A figure, None where the cell is empty. Raises SourceFormatError for anything else."""
    try:
        return float(text) if text else None
    except ValueError:
        raise SourceFormatError(f"{file.url}, line {line}: {text!r} is no number") from None


def _cells(file: ArchivedFile, settings: TableSettings) -> Iterator[list[str]]:
    if settings.sheet:
        yield from named_sheet(file, settings.sheet)
        return
    text = io.TextIOWrapper(io.BufferedReader(unpacked(file.path)), "utf-8-sig", newline="")
    try:
        for row in csv.reader(text, delimiter=settings.delimiter):
            yield [cell.strip() for cell in row]
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise SourceFormatError(f"{file.url}: the table cannot be read ({error})") from error
