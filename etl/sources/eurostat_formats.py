"""The formats of Eurostat's dissemination: TSV, SDMX-CSV 1.0 and 2.0, JSON-stat 2.0, all read into one long table.

Every reader returns the observations of one period, one row each:

* one column of codes per dimension, named as in the file (`geo`, `nace_r2` …); their order differs from table to table
* `value`: the figure, null where the publisher shows none; nothing shown is never a zero
* `mark`: the publisher's marks as found, flag letters then `@` and the confidentiality letter (`cd`, `p@C`)
* `flags`: the set of flag letters without `c`, in alphabetical order (`b` break, `d` definition differs, `e` estimated,
  `n` not significant, `p` provisional, `u` low reliability, `z` not applicable …)
* `confidentiality`: `C` confidential, `N` not for publication …, empty if free; the flag letter `c` of older files and
  the separate status of newer ones mean the same
* `line`: line of the file, for messages (JSON-stat: position of the cell)
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from etl.errors import SourceFormatError, TransientError
from etl.sources.base import ArchivedFile
from etl.sources.bodies import first_line, head, refuse_page, unpacked

#: Codes to keep by dimension; a dimension that is not named keeps all.
Keep = Mapping[str, Collection[str]]

_BLOCK_BYTES = 8 << 20
_CELL = r"^(?P<value>:|-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?) ?(?P<mark>[a-z]*(?: ?@[A-Z])?)$"
_DIMENSION = re.compile(r"[a-z][a-z0-9_]*")
_TIME_NAMES = ("TIME_PERIOD", "time", "TIME")


def check_answer(file: ArchivedFile) -> None:
    """Look at the head of an answer of Eurostat.

    Raises SourceFormatError for a web page, an error message or a header no reader knows, and TransientError where
    the publisher only says that it prepares the extraction.
    """
    refuse_page(file)
    start = head(file, 8192)
    text = start.decode("utf-8", "replace").lstrip("\ufeff \r\n")
    if text.startswith("<"):
        _raise_for_envelope(file, text)
    if text.startswith("{"):
        _raise_for_json(file, text)
    elif _is_sdmx_csv(file):
        _sdmx_csv_columns(file)
    else:
        _tsv_header(file)


def periods(file: ArchivedFile) -> list[str]:
    """The periods a TSV sheet has columns for, in the order of the file."""
    return _tsv_header(file)[1]


def read(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read the observations of one period, whatever the format; no rows where the file does not hold the period.

    Raises SourceFormatError with file, line and code for a value that is neither a number nor missing.
    """
    check_answer(file)
    with _readable(file):
        if head(file, 64).lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{"):
            return read_json_stat(file, period, keep)
        if _is_sdmx_csv(file):
            return read_sdmx_csv(file, period, keep)
        return read_tsv(file, period, keep)


def read_tsv(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read one period of a TSV sheet: only that column is taken, block by block; years may stand in any order."""
    dimensions, offered = _tsv_header(file)
    if period not in offered:
        return _empty(dimensions)
    columns = ["series", *offered]
    wanted = ["series", period]
    reader = pacsv.open_csv(
        unpacked(file.path),
        read_options=pacsv.ReadOptions(column_names=columns, skip_rows=1, block_size=_BLOCK_BYTES),
        parse_options=pacsv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=_as_text(wanted),
    )
    blocks = []
    next_line = 2
    for batch in reader:
        lines = _line_numbers(next_line, batch.num_rows)
        next_line += batch.num_rows
        keys = pc.split_pattern(batch.column(0), ",")
        _refuse(file, lines, pc.not_equal(pc.list_value_length(keys), len(dimensions)), batch.column(0), "series key")
        codes = {name: pc.list_element(keys, position) for position, name in enumerate(dimensions)}
        block = pa.table(codes | {"cell": batch.column(1), "line": lines})
        blocks.append(_split_cells(file, _kept(block, keep)))
    return _joined(blocks, dimensions)


def read_sdmx_csv(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read one period of an SDMX-CSV file, version 1.0 or 2.0, with or without labels."""
    columns = _sdmx_csv_columns(file)
    dimensions = [name for name in columns if _DIMENSION.fullmatch(name)]
    attributes = [name for name in columns if name in ("OBS_FLAG", "CONF_STATUS")]
    wanted = [*dimensions, "TIME_PERIOD", "OBS_VALUE", *attributes]
    reader = pacsv.open_csv(
        unpacked(file.path),
        read_options=pacsv.ReadOptions(column_names=columns, skip_rows=1, block_size=_BLOCK_BYTES),
        convert_options=_as_text(wanted),
    )
    blocks = []
    next_line = 2
    for batch in reader:
        lines = _line_numbers(next_line, batch.num_rows)
        next_line += batch.num_rows
        texts = {name: batch.column(name) for name in ("TIME_PERIOD", "OBS_VALUE")}
        codes = {name: _without_label(batch.column(name)) for name in (*dimensions, *attributes)}
        block = pa.table(codes | texts | {"line": lines})
        block = _kept(block, {**keep, "TIME_PERIOD": [period]})
        blocks.append(_split_attributes(file, block, dimensions, attributes))
    return _joined(blocks, dimensions)


def read_json_stat(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read one period of a JSON-stat answer: cells by position in row-major order; a cell may have a status alone."""
    document = json.loads(unpacked(file.path).read())
    try:
        names = [str(name) for name in document["id"]]
        sizes = [int(size) for size in document["size"]]
        codes = [_json_codes(document["dimension"][name], size) for name, size in zip(names, sizes, strict=True)]
        values, status = _by_position(document.get("value")), _by_position(document.get("status"))
        time = names.index("time")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceFormatError(f"{file.url}: not a JSON-stat data set ({type(error).__name__}: {error})") from error
    positions = np.array(sorted(values.keys() | status.keys()), np.int64)
    if positions.size and (positions[0] < 0 or positions[-1] >= np.prod(sizes)):
        raise SourceFormatError(f"{file.url}: cell {positions[-1]} lies outside the declared size {sizes}")
    steps = np.unravel_index(positions, sizes)
    columns = {name: pa.array(code).take(pa.array(step)) for name, code, step in zip(names, codes, steps, strict=True)}
    cells = [_json_cell(values.get(position), status.get(position)) for position in positions.tolist()]
    block = pa.table(columns | {"cell": pa.array(cells, pa.string()), "line": pa.array(positions)})
    block = _kept(block, {**keep, names[time]: [period]}).drop_columns([names[time]])
    return _joined([_split_cells(file, block)], [name for name in names if name != names[time]])


def _tsv_header(file: ArchivedFile) -> tuple[list[str], list[str]]:
    """Dimension names in the order of the series keys, and the periods in the order of the columns."""
    key, *offered = [cell.strip() for cell in first_line(file).split("\t")]
    names, _, time = key.partition("\\")
    dimensions = [name.strip() for name in names.split(",")]
    if time not in _TIME_NAMES or not offered or not all(_DIMENSION.fullmatch(name) for name in dimensions):
        raise SourceFormatError(
            f"{file.url}, line 1: expected a header like freq,nace_r2,indic_sb,geo\\TIME_PERIOD and years, "
            f"found {first_line(file)[:80]!r}"
        )
    if len(set(offered)) != len(offered):
        raise SourceFormatError(f"{file.url}, line 1: a period stands twice in the header")
    return dimensions, offered


def _is_sdmx_csv(file: ArchivedFile) -> bool:
    return first_line(file).startswith(("DATAFLOW", "STRUCTURE"))


def _sdmx_csv_columns(file: ArchivedFile) -> list[str]:
    columns = [name.strip().strip('"').partition(":")[0] for name in first_line(file).split(",")]
    missing = [name for name in ("TIME_PERIOD", "OBS_VALUE", "geo") if name not in columns]
    if missing or len(set(columns)) != len(columns):
        raise SourceFormatError(f"{file.url}, line 1: SDMX-CSV without {', '.join(missing) or 'distinct column names'}")
    return columns


def _as_text(columns: list[str]) -> pacsv.ConvertOptions:
    return pacsv.ConvertOptions(
        include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
    )


def _line_numbers(first: int, rows: int) -> pa.Array:
    return pa.array(np.arange(first, first + rows, dtype=np.int64))


def _without_label(column: pa.Array) -> pa.Array:
    """Codes of a column that may hold `CODE: Label`."""
    encoded = pc.dictionary_encode(column)
    codes = pa.array([text.partition(": ")[0] for text in encoded.dictionary.to_pylist()], pa.string())
    return codes.take(encoded.indices)


def _kept(block: pa.Table, keep: Keep) -> pa.Table:
    for name, codes in keep.items():
        if name in block.column_names:
            block = block.filter(pc.is_in(block.column(name), pa.array(sorted(codes), pa.string())))
    return block


def _split_cells(file: ArchivedFile, block: pa.Table) -> pa.Table:
    """Split `cell` (figure, blank, marks) into `value` and `mark`."""
    cells = pc.utf8_trim_whitespace(block.column("cell"))
    parts = pc.extract_regex(cells, _CELL)
    _refuse(file, block.column("line"), pc.is_null(parts), cells, "value")
    figures = pc.struct_field(parts, "value")
    value = pc.cast(pc.if_else(pc.equal(figures, ":"), pa.scalar(None, pa.string()), figures), pa.float64())
    return _marked(block.drop_columns(["cell"]), value, pc.struct_field(parts, "mark"))


def _split_attributes(file: ArchivedFile, block: pa.Table, dimensions: list[str], attributes: list[str]) -> pa.Table:
    """Bring OBS_VALUE, OBS_FLAG and CONF_STATUS to `value` and `mark`."""
    figures = pc.utf8_trim_whitespace(block.column("OBS_VALUE"))
    is_blank = pc.is_in(figures, pa.array(["", ":"]))
    is_number = pc.match_substring_regex(figures, r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$")
    _refuse(file, block.column("line"), pc.invert(pc.or_(is_blank, is_number)), figures, "value")
    value = pc.cast(pc.if_else(is_blank, pa.scalar(None, pa.string()), figures), pa.float64())
    texts = {name: pc.utf8_trim_whitespace(block.column(name)) for name in attributes}
    flag = texts.get("OBS_FLAG", pa.array([""] * block.num_rows, pa.string()))
    status = texts.get("CONF_STATUS", pa.array([""] * block.num_rows, pa.string()))
    separator = pc.if_else(pc.equal(status, ""), "", "@")
    return _marked(block.select([*dimensions, "line"]), value, pc.binary_join_element_wise(flag, separator, status, ""))


def _marked(block: pa.Table, value: pa.ChunkedArray, mark: pa.ChunkedArray) -> pa.Table:
    """Add `value`, `mark` and what the marks mean; marks are few, so each is read once."""
    encoded = pc.dictionary_encode(pc.replace_substring(mark, " ", "")).combine_chunks()
    marks = encoded.dictionary.to_pylist()
    flags = ["".join(sorted(set(text.partition("@")[0]) - {"c"})) for text in marks]
    status = [text.partition("@")[2] or ("C" if "c" in text else "") for text in marks]
    columns = {
        "value": value,
        "mark": pa.array(marks, pa.string()).take(encoded.indices),
        "flags": pa.array(flags, pa.string()).take(encoded.indices),
        "confidentiality": pa.array(status, pa.string()).take(encoded.indices),
    }
    line = block.column("line")
    block = block.drop_columns(["line"])
    for name, column in columns.items():
        block = block.append_column(name, column)
    return block.append_column("line", line)


def _joined(blocks: list[pa.Table], dimensions: list[str]) -> pa.Table:
    return pa.concat_tables([_empty(dimensions), *[block.cast(_schema(dimensions)) for block in blocks]])


def _schema(dimensions: list[str]) -> pa.Schema:
    kinds = dict.fromkeys(dimensions, pa.string())
    kinds |= {"value": pa.float64(), "mark": pa.string(), "flags": pa.string(), "confidentiality": pa.string()}
    return pa.schema(list((kinds | {"line": pa.int64()}).items()))


def _empty(dimensions: list[str]) -> pa.Table:
    return _schema(dimensions).empty_table()


def _json_codes(dimension: Mapping[str, Mapping[str, Mapping[str, int] | list[str]]], size: int) -> list[str]:
    index = dimension["category"]["index"]
    codes = [str(code) for code in (index if isinstance(index, list) else sorted(index, key=lambda code: index[code]))]
    if len(codes) != size:
        raise ValueError(f"{len(codes)} codes for a dimension of size {size}")
    return codes


def _by_position(cells: Mapping[str, object] | list[object] | None) -> dict[int, object]:
    if cells is None:
        return {}
    pairs = cells.items() if isinstance(cells, Mapping) else enumerate(cells)
    return {int(position): cell for position, cell in pairs if cell is not None}


def _json_cell(value: object, status: object) -> str:
    """The cell as a TSV would show it: one grammar for both."""
    mark = str(status or "").replace("|", "@")
    return f"{':' if value is None else value} {mark}"


def _refuse(file: ArchivedFile, lines: pa.Array, is_wrong: pa.Array, texts: pa.Array, what: str) -> None:
    if not pc.any(is_wrong).as_py():
        return
    row = pc.index(is_wrong, True).as_py()
    raise SourceFormatError(
        f"{file.url}, line {lines[row].as_py()}: {what} {texts[row].as_py()!r} is not what the format allows"
    )


@contextmanager
def _readable(file: ArchivedFile) -> Iterator[None]:
    """Say which file could not be read: a packed body cut short, a line with too few cells."""
    try:
        yield
    except (pa.ArrowInvalid, OSError, EOFError, json.JSONDecodeError) as error:
        raise SourceFormatError(f"{file.url}: the body is damaged or cut short ({error})") from error


def _raise_for_envelope(file: ArchivedFile, text: str) -> None:
    fault = re.search(r"<faultstring[^>]*>([^<]*)", text)
    if re.search(r"<(\w+:)?queued>|SUBMITTED|ASYNCHRONOUS", text):
        raise TransientError(
            f"{file.url}: Eurostat answered asynchronously: it prepares the extraction; ask again later"
        )
    if "EXTRACTION_TOO_BIG" in text or "<faultcode>413" in text:
        raise SourceFormatError(f"{file.url}: Eurostat refused the extraction as too big; take the whole data set")
    raise SourceFormatError(f"{file.url}: XML came instead of data ({fault.group(1) if fault else text[:80]!r})")


def _raise_for_json(file: ArchivedFile, text: str) -> None:
    if re.search(r'"warning"\s*:.*(413|ASYNCHRONOUS)', text, re.DOTALL):
        raise TransientError(
            f"{file.url}: Eurostat answered asynchronously: it prepares the extraction; ask again later"
        )
    if re.match(r'\{\s*"error"', text):
        raise SourceFormatError(f"{file.url}: Eurostat answered with an error: {text[:200]}")
    if not re.search(r'"(version|class|id|label)"', text):
        raise SourceFormatError(f"{file.url}: JSON that is not JSON-stat: {text[:80]!r}")
