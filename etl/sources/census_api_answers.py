"""Reads the Census API's answers: a JSON array of arrays of strings, the first of them the header."""

import json
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from etl import columns
from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile, Parsed
from etl.sources.bodies import head, refuse_page
from etl.sources.census_cells import outline, read_cells
from etl.sources.tabular import Block

NAMES = {
    "estab": "est",
    "emp": "emp",
    "payann": "ap",
    "state": "fipstate",
    "county": "fipscty",
    "emp_f": "empflag",
    "emp_n_f": "emp_nf",
    "payann_n_f": "ap_nf",
}
"""The API's columns and the bulk files' names for the same; the industry's name carries the NAICS vintage."""

NUMBERS = frozenset({"emp", "ap", "est"})

ALL = {"lfo": "001", "empszes": "001"}
"""Where an answer has legal forms or size classes: the code for all of them together."""


def header(file: ArchivedFile) -> list[str]:
    """The header's names in lower case, as they stand. Raises SourceFormatError for an answer that has none."""
    refuse_page(file)
    start = head(file).removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        names = json.loads(start[1 : start.index(b"]") + 1])
    except ValueError as error:
        raise SourceFormatError(f"{file.url}: no header row at the start of the answer ({error})") from error
    return [str(name).lower() for name in names]


def check_answer(file: ArchivedFile) -> None:
    """Refuse an answer without the columns that `read_answers` needs."""
    names = header(file)
    wanted = {"estab", "emp", "state"} | ({"county"} if file.kind == "co" else set())
    missing = sorted(wanted - set(names)) + ([] if _industry_column(names) else ["NAICS…"])
    if missing:
        raise SourceFormatError(f"{file.url}: no column {', '.join(missing)}; the header is {', '.join(names)}")


def _industry_column(names: Sequence[str]) -> str | None:
    return next((name for name in names if name.startswith("naics") and name[5:].isdigit()), None)


def read_answers(files: Sequence[ArchivedFile], year: int) -> Parsed:
    """Read a year's answers for states (`kind` st) and counties (co) into `region_industry`.

    A zero beside establishments is a withheld figure: the API prints 0 for it, without any mark unless asked for
    one. Raises SourceFormatError for an answer that is no table, and naming the code nobody declared.
    """
    tables = []
    for kind in ("st", "co"):
        part = [file for file in files if file.kind == kind]
        if part:
            blocks = (_block(file) for file in part)
            tables.append(read_cells(blocks, kind, year, f"Census API, {year}", has_marks=False))
    return Parsed({"region_industry": columns.concat(tables)} if tables else {})


def outline_answer(file: ArchivedFile, year: int) -> dict[str, float | list[str]]:
    """What a later copy of an answer is compared with; see `census_cells.outline`.

    Raises SourceFormatError also for an answer to another question: another year, another state.
    """
    block = _block(file)
    _refuse_other_question(block, year)
    return outline([block], file.kind, year, has_marks=False)


def _refuse_other_question(block: Block, year: int) -> None:
    state = re.search(r"state:(\d\d)", block.file.url)
    asked = {"year": str(year)} | ({"fipstate": state[1]} if state else {})
    for column, expected in asked.items():
        found: list[str] = block.rows.column(column).dictionary.to_pylist() if block.has(column) else [expected]
        if set(found) != {expected}:
            shown = ", ".join(sorted(found)[:5])
            raise SourceFormatError(f"{block.file.url}: the answer is of {column} {shown}, not {expected}")


def _block(file: ArchivedFile) -> Block:
    check_answer(file)
    try:
        names, *rows = json.loads(file.path.read_bytes())
        columns = list(zip(*rows, strict=True))
        named = list(zip((name.lower() for name in names), columns, strict=bool(rows)))
    except ValueError as error:
        raise SourceFormatError(f"{file.url}: the answer is no table of rows of equal length ({error})") from error
    if not rows:
        raise SourceFormatError(f"{file.url}: the answer has a header and no rows")
    found: dict[str, pa.Array] = {}
    industry = _industry_column([name for name, _ in named])
    for name, values in named:
        ours = "naics" if name == industry else NAMES.get(name, name if name in ALL or name == "year" else None)
        if ours and ours not in found:  # predicates of the question come back as columns named a second time
            found[ours] = _column(ours, values, file)
    block = Block(file, 2, pa.RecordBatch.from_pydict(found))
    return _of_all(block)


def _column(name: str, values: tuple[str | None, ...], file: ArchivedFile) -> pa.Array:
    column = pa.array(values, pa.string())
    if name not in NUMBERS:
        return pc.dictionary_encode(pc.fill_null(column, ""))
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise SourceFormatError(f"{file.url}, column {name}: {error}") from error


def _of_all(block: Block) -> Block:
    for name, code in ALL.items():
        if block.has(name):
            is_all = pc.equal(block.rows.column(name).cast(pa.string()), code)
            block = block.keep(is_all.to_numpy(zero_copy_only=False)).without(name)
    return block
