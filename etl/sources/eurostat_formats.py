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

Evidence: TSV from real sheets, headers before 2023 and confidentiality as `@C` from public readers; SDMX-CSV and
JSON-stat from documentation and recorded answers.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

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


def dimensions(file: ArchivedFile) -> list[str]:
    """Names of the dimensions but time, in the order of the file."""
    if _is_json(file):
        return [name for name in _json_cube(file).names if name not in _TIME_NAMES]
    if _is_sdmx_csv(file):
        return _sdmx_csv_dimensions(_sdmx_csv_columns(file))
    return _tsv_header(file)[0]


def periods(file: ArchivedFile) -> list[str]:
    """The periods in the file: columns of a TSV sheet, values of the time dimension in the other formats."""
    if _is_json(file):
        return list(_json_cube(file).codes[_json_cube(file).time])
    if _is_sdmx_csv(file):
        blocks = _blocks(file, _sdmx_csv_columns(file), ["TIME_PERIOD"], pacsv.ParseOptions())
        return sorted(
            {period for _, block in blocks for period in _without_label(block.column(0)).unique().to_pylist()}
        )
    return _tsv_header(file)[1]


def read(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read the observations of one period, whatever the format; no rows where the file does not hold the period.

    Raises SourceFormatError with file, line and code for a value that is neither a number nor missing.
    """
    check_answer(file)
    if _is_json(file):
        return read_json_stat(file, period, keep)
    if _is_sdmx_csv(file):
        return read_sdmx_csv(file, period, keep)
    return read_tsv(file, period, keep)


def read_tsv(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read one period of a TSV sheet: only that column is taken, block by block; years may stand in any order."""
    names, offered = _tsv_header(file)
    if period not in offered:
        return _empty(names)
    options = pacsv.ParseOptions(delimiter="\t", quote_char=False)
    found = []
    for lines, block in _blocks(file, ["series", *offered], ["series", period], options):
        series = block.column(0)
        keys = pc.split_pattern(series, ",")
        _refuse(file, lines, pc.not_equal(pc.list_value_length(keys), len(names)), series, "series key")
        codes = {name: pc.list_element(keys, position) for position, name in enumerate(names)}
        cells = pa.table(codes | {"cell": block.column(1), "line": lines})
        found.append(_split_cells(file, _kept(cells, keep)))
    return _joined(found, names)


def read_sdmx_csv(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read one period of an SDMX-CSV file, version 1.0 or 2.0, with or without labels."""
    columns = _sdmx_csv_columns(file)
    names = _sdmx_csv_dimensions(columns)
    attributes = [name for name in columns if name in ("OBS_FLAG", "CONF_STATUS")]
    coded = [*names, "TIME_PERIOD", *attributes]
    found = []
    for lines, block in _blocks(file, columns, [*coded, "OBS_VALUE"], pacsv.ParseOptions()):
        codes = {name: _without_label(block.column(name)) for name in coded}
        cells = pa.table(codes | {"OBS_VALUE": block.column("OBS_VALUE"), "line": lines})
        cells = _kept(cells, {**keep, "TIME_PERIOD": [period]})
        found.append(_split_attributes(file, cells, names, attributes))
    return _joined(found, names)


def read_json_stat(file: ArchivedFile, period: str, keep: Keep) -> pa.Table:
    """Read one period of a JSON-stat answer: cells by position in row-major order; a cell may have a status alone."""
    cube = _json_cube(file)
    positions = np.array(sorted(cube.values.keys() | cube.status.keys()), np.int64)
    sizes = [len(codes) for codes in cube.codes]
    if positions.size and (positions[0] < 0 or positions[-1] >= np.prod(sizes)):
        raise SourceFormatError(f"{file.url}: cell {positions[-1]} lies outside the declared size {sizes}")
    steps = np.unravel_index(positions, sizes)
    columns = {
        name: pa.array(codes, pa.string()).take(pa.array(step))
        for name, codes, step in zip(cube.names, cube.codes, steps, strict=True)
    }
    texts = [_json_cell(cube.values.get(position), cube.status.get(position)) for position in positions.tolist()]
    time = cube.names[cube.time]
    cells = pa.table(columns | {"cell": pa.array(texts, pa.string()), "line": pa.array(positions)})
    cells = _kept(cells, {**keep, time: [period]}).drop_columns([time])
    return _joined([_split_cells(file, cells)], [name for name in cube.names if name != time])


def _blocks(
    file: ArchivedFile, columns: list[str], wanted: list[str], options: pacsv.ParseOptions
) -> Iterator[tuple[pa.Array, pa.RecordBatch]]:
    """Line numbers and texts of the wanted columns, block by block; what cannot be read is named with its file."""
    try:
        reader = pacsv.open_csv(
            unpacked(file.path),
            read_options=pacsv.ReadOptions(column_names=columns, skip_rows=1, block_size=_BLOCK_BYTES),
            parse_options=options,
            convert_options=pacsv.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
            ),
        )
        line = 2
        for block in reader:
            yield pa.array(np.arange(line, line + block.num_rows, dtype=np.int64)), block
            line += block.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceFormatError(f"{file.url}: the body is damaged or cut short ({error})") from error


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


def _is_json(file: ArchivedFile) -> bool:
    return head(file, 64).lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{")


def _is_sdmx_csv(file: ArchivedFile) -> bool:
    return first_line(file).startswith(("DATAFLOW", "STRUCTURE"))


def _sdmx_csv_columns(file: ArchivedFile) -> list[str]:
    columns = [name.strip().strip('"').partition(":")[0] for name in first_line(file).split(",")]
    missing = [name for name in ("TIME_PERIOD", "OBS_VALUE", "geo") if name not in columns]
    if missing or len(set(columns)) != len(columns):
        raise SourceFormatError(f"{file.url}, line 1: SDMX-CSV without {', '.join(missing) or 'distinct column names'}")
    return columns


def _sdmx_csv_dimensions(columns: list[str]) -> list[str]:
    """Codes of dimensions are in small letters; labels, where there are any, are not."""
    return [name for name in columns if _DIMENSION.fullmatch(name)]


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


@dataclass(frozen=True, slots=True)
class _Cube:
    """A JSON-stat answer: dimensions with their codes in order, values and status by position."""

    names: list[str]
    codes: list[list[str]]
    time: int
    values: dict[int, object]
    status: dict[int, object]


def _json_cube(file: ArchivedFile) -> _Cube:
    try:
        document = json.loads(unpacked(file.path).read())
        names = [str(name) for name in document["id"]]
        codes = [_json_codes(document["dimension"][name]["category"]["index"]) for name in names]
        if [len(one) for one in codes] != document["size"]:
            raise ValueError(f"the dimensions have other sizes than {document['size']}")
        time = next(number for number, name in enumerate(names) if name in _TIME_NAMES)
        return _Cube(names, codes, time, _by_position(document.get("value")), _by_position(document.get("status")))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration, OSError) as error:
        raise SourceFormatError(f"{file.url}: not a JSON-stat data set ({type(error).__name__}: {error})") from error


def _json_codes(index: Mapping[str, int] | list[str]) -> list[str]:
    return list(index) if isinstance(index, list) else sorted(index, key=lambda code: index[code])


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
