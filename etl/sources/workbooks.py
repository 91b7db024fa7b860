"""Reads a sheet of an Excel workbook, old (.xls) or new (.xlsx), as rows of text."""

import io
import struct
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

from etl.errors import SourceFormatError, UsageError
from etl.sources.base import ArchivedFile
from etl.sources.bodies import head

_OLD = b"\xd0\xcf\x11\xe0"
_NEW = b"PK\x03\x04"


def is_workbook(file: ArchivedFile) -> bool:
    """Whether the body is an Excel workbook, told from its first bytes."""
    return head(file, 4) in (_OLD, _NEW)


def first_sheet(file: ArchivedFile) -> list[list[str]]:
    """Rows of the first sheet of a workbook; see `named_sheet`."""
    return _sheet(file, None)


def named_sheet(file: ArchivedFile, name: str) -> list[list[str]]:
    """Rows of one sheet of a workbook, every cell as text without blanks around it, whole numbers without a point.

    Raises UsageError where the packages that read workbooks are not installed (extra `excel`), SourceFormatError
    where the body is no workbook or has no such sheet.
    """
    return _sheet(file, name)


def _sheet(file: ArchivedFile, name: str | None) -> list[list[str]]:
    try:
        rows = _old_rows(file, name) if head(file, 4) == _OLD else _new_rows(file, name)
    except ImportError as error:
        raise UsageError(f"to read workbooks, install the extra excel ({error.name} is missing)") from error
    return [[_text(cell) for cell in row] for row in rows]


def _old_rows(file: ArchivedFile, name: str | None) -> list[list[Any]]:
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=file.path.read_bytes(), logfile=io.StringIO())
    except (xlrd.XLRDError, struct.error, IndexError) as error:
        raise SourceFormatError(f"{file.url}: no Excel workbook that can be read ({error})") from error
    found = book.sheet_by_name(_chosen(file, name, book.sheet_names()))
    return [found.row_values(number) for number in range(found.nrows)]


def _new_rows(file: ArchivedFile, name: str | None) -> list[list[Any]]:
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extensions of newer versions that the reader leaves out
            book = openpyxl.load_workbook(io.BytesIO(file.path.read_bytes()), read_only=True, data_only=True)
            found = book[_chosen(file, name, book.sheetnames)]
            return [list(row) for row in found.iter_rows(values_only=True)]
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise SourceFormatError(f"{file.url}: no Excel workbook that can be read ({error})") from error


def _chosen(file: ArchivedFile, name: str | None, names: Sequence[str]) -> str:
    if name is None:
        return names[0]
    if name not in names:
        raise SourceFormatError(f"{file.url}: no sheet is called {name}; there are: {', '.join(names)}")
    return name


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return " ".join(str(cell).split())


def rows_below(sheet: list[list[str]], names: Sequence[str], file: ArchivedFile) -> list[dict[str, str]]:
    """The rows below the header as name to text: the header is the first row that holds all `names`, in any order.

    Raises SourceFormatError where no row does.
    """
    for number, row in enumerate(sheet):
        if set(names) <= set(row):
            positions = {name: row.index(name) for name in names}
            return [{name: line[at] for name, at in positions.items()} for line in sheet[number + 1 :]]
    raise SourceFormatError(f"{file.url}: no row of the first sheet has the names {', '.join(names)}")
