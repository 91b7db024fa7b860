"""Reads CSV bodies by the names in their header, plain or zipped, block by block."""

import csv
import gzip
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pcsv

from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile
from etl.sources.bodies import is_gzip, refuse_page

T = TypeVar("T")

BLOCK_BYTES = 2 << 20
"""Larger blocks read hardly faster and hold more memory."""

CODE = pa.dictionary(pa.int32(), pa.string())
"""Column type for codes and flags: each block brings its own short list of values."""

_ZIP = b"PK\x03\x04"


@contextmanager
def open_text(file: ArchivedFile, member: str = r".*") -> Iterator[IO[bytes]]:
    """Open a text body for reading; of a zip, its one member whose bare name matches `member`, in capitals or not.

    Raises SourceFormatError where no member or more than one matches, and where the zip is damaged.
    """
    refuse_page(file)
    with file.path.open("rb") as body:
        zipped = body.read(4) == _ZIP
    try:
        if not zipped:
            stream: IO[bytes]
            with cast(IO[bytes], gzip.open(file.path)) if is_gzip(file.path) else file.path.open("rb") as stream:
                yield stream
            return
        with zipfile.ZipFile(file.path) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(member, name.rsplit("/", 1)[-1], re.I)]
            if len(names) != 1:
                found = ", ".join(archive.namelist()[:5]) or "nothing"
                raise SourceFormatError(f"{file.url}: one member like {member} was expected; the zip holds {found}")
            with archive.open(names[0]) as stream:
                yield stream
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise SourceFormatError(f"{file.url}: the packed body is damaged or cut short ({error})") from error


def _names(line: bytes, file: ArchivedFile) -> list[str]:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceFormatError(f"{file.url}: the header is no text ({error})") from error
    return [name.strip().lower() for name in next(csv.reader([text.rstrip("\r\n")]), [])]


def _checked(names: list[str], required: frozenset[str], file: ArchivedFile) -> list[str]:
    if missing := sorted(required - set(names)):
        shown = ", ".join(names[:12]) or "nothing"
        raise SourceFormatError(f"{file.url}, line 1: no column {', '.join(missing)}; the header begins {shown}")
    return names


def check_header(file: ArchivedFile, required: frozenset[str], member: str = r".*") -> list[str]:
    """Return the header's names in lower case. Raises SourceFormatError where a required one is missing."""
    with open_text(file, member) as stream:
        line = stream.readline()
    return _checked(_names(line, file), required, file)


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file: the columns asked for that are there, and where the rows stand.

    `line`: line of the block's first row; `kept`: where only some rows were kept, their positions in the block.
    """

    file: ArchivedFile
    line: int
    rows: pa.RecordBatch
    kept: npt.NDArray[np.int64] | None = None

    def has(self, column: str) -> bool:
        """Whether the file has the column."""
        return column in self.rows.schema.names

    def floats(self, column: str) -> npt.NDArray[np.float64]:
        """A column of numbers; NaN where the cell is empty or holds no number. No publisher counts below zero.

        Raises SourceFormatError with file and line for a negative figure.
        """
        values: npt.NDArray[np.float64] = self.rows.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
        if (is_negative := values < 0).any():
            line = self.line_of(int(np.argmax(is_negative)))
            raise SourceFormatError(f"{self.file.url}, line {line}: {column} is negative")
        return values

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Block":
        """The rows of the mask, which still know their lines."""
        positions = np.flatnonzero(mask)
        kept = positions if self.kept is None else self.kept[positions]
        return Block(self.file, self.line, self.rows.filter(pa.array(mask)), kept)

    def without(self, column: str) -> "Block":
        """The rows without a column that has been used up."""
        return Block(self.file, self.line, self.rows.drop_columns([column]), self.kept)

    def line_of(self, position: int) -> int:
        """The line in the file where a row of this block stands."""
        return self.line + (position if self.kept is None else int(self.kept[position]))


def read_blocks(
    file: ArchivedFile, types: Mapping[str, pa.DataType], required: frozenset[str], member: str = r".*"
) -> Iterator[Block]:
    """Read the columns of `types` by name (lower case) wherever they stand; those not in the file are left out.

    Numbers: an empty cell or `N` (not available) is null. Raises SourceFormatError for a missing required column, a
    line with too few or too many cells, a cell that is no number, and a file without rows.
    """
    with open_text(file, member) as stream:
        names = _checked(_names(stream.readline(), file), required, file)
        wanted = [name for name in types if name in names]
        try:
            reader = pcsv.open_csv(
                stream,
                read_options=pcsv.ReadOptions(column_names=names, block_size=BLOCK_BYTES),
                convert_options=pcsv.ConvertOptions(
                    column_types={name: types[name] for name in wanted},
                    include_columns=wanted,
                    null_values=["", "N"],
                    strings_can_be_null=False,
                ),
            )
            line = 2
            for rows in read_ahead(reader):
                yield Block(file, line, rows)
                line += rows.num_rows
        except pa.ArrowInvalid as error:
            raise SourceFormatError(f"{file.url}: {error}") from error


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items; while one is worked on, a thread reads the next."""
    source, end = iter(items), object()
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = reader.submit(next, source, end)
            yield cast(T, item)


@dataclass(slots=True)
class CodeNumbers:
    """Numbers the codes of a column across blocks: equal codes get equal numbers, 0, 1, 2 … in order of appearance.

    There may be 32,767 of them: numbers are small, a county year has two million rows.

    `resolve` turns a code as found into ours, or into None where its rows are to be left out (number -1); it raises
    LookupError with a reason for a code nobody declared, which becomes a SourceFormatError with file and line.
    `values`: our codes in the order of their numbers; those given at the start keep theirs.
    """

    resolve: Callable[[str], str | None]
    values: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(init=False)
    _found: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = {code: number for number, code in enumerate(self.values)}

    def number(self, code: str) -> int:
        """The number of one of our codes, given now if it has none."""
        if code not in self._numbers:
            self._numbers[code] = len(self.values)
            self.values.append(code)
        return self._numbers[code]

    def of(self, block: Block, column: str) -> npt.NDArray[np.int16]:
        """The number of each row's code in this column."""
        values = block.rows.column(column)
        indices = values.indices.to_numpy()
        table = np.empty(len(values.dictionary), np.int16)
        is_used = np.bincount(indices, minlength=len(table)) > 0
        for position, found in enumerate(values.dictionary.to_pylist()):
            if found not in self._found and is_used[position]:
                try:
                    code = self.resolve(found)
                except LookupError as reason:
                    line = block.line_of(int(np.argmax(indices == position)))
                    raise SourceFormatError(f"{block.file.url}, line {line}: {reason.args[0]}") from None
                self._found[found] = -1 if code is None else self.number(code)
            table[position] = self._found.get(found, -1)
        numbers: npt.NDArray[np.int16] = table[indices]
        return numbers
