"""Codes in every text form, the three lists of each reader, and marks: properties that hold for all of them."""

from math import isnan

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import reference
from etl.errors import SourceFormatError
from etl.sources import bls_qcew, census_cells
from etl.sources.base import ArchivedFile
from etl.sources.census_disclosure import NOISE, RANGES, UNMARKED, WITHHELD_MARKS, Marks
from etl.sources.naics_codes import CodeLists, is_leaf, known_codes, level, plain
from etl.sources.tabular import CODE, Block, CodeNumbers
from etl.sources.us_cells import NOISED, REPORTED, WITHHELD

FILE = ArchivedFile("census_cbp", "https://example.org/file", "co", "zip", 2014, "", 1, None)  # type: ignore[arg-type]
VINTAGES = (1997, 2002, 2007, 2012, 2017, 2022)


@given(st.sampled_from(VINTAGES), st.data())
def test_every_form_of_a_code_means_the_same(vintage: int, data: st.DataObject) -> None:
    code = data.draw(st.sampled_from(sorted(known_codes(vintage) - {"00"})))
    assert plain(code) == plain(code.ljust(6, "-" if len(code) == 2 else "/")) == code


@pytest.mark.parametrize(("text", "code"), [("------", "00"), ("00", "00"), ("31-33", "31"), ("48-49", "48")])
def test_totals_and_sectors_of_several_numbers(text: str, code: str) -> None:
    assert plain(text) == code


@pytest.mark.parametrize("text", ["", "1", "113--", "113//", "31-3", "1133///", "1133100", "11331O", " 113", "31--33"])
def test_other_text_is_no_code(text: str) -> None:
    with pytest.raises(LookupError):
        plain(text)


def test_levels() -> None:
    assert [level(code) for code in ("00", "31", "311", "3111", "31111", "311111")] == [
        *("total", "sector", "subsector", "industry_group", "industry", "national_industry")
    ]


def test_sectors_stand_by_their_first_number() -> None:
    sectors = {code for code in known_codes(2017) if len(code) == 2} - {"00"}
    assert sectors == {
        *("11", "21", "22", "23", "31", "42", "44", "48", "51", "52", "53", "54", "55", "56", "61", "62"),
        *("71", "72", "81", "92", "99"),
    }


@pytest.mark.parametrize("vintage", VINTAGES)
def test_leaves_partition_the_codes(vintage: int) -> None:
    codes = known_codes(vintage)
    leaves = {code for code in codes if is_leaf(code)}
    assert leaves == reference.naics_codes(vintage) | {"99"} | ({"95"} if vintage == 1997 else set())
    above = codes - leaves - {"00"}
    assert all(any(leaf.startswith(code[:2]) or len(code) == 2 for leaf in leaves) for code in above)
    assert all(leaf[:5] in codes and leaf[:3] in codes for leaf in leaves if len(leaf) == 6)


@pytest.mark.parametrize("year", [*range(1998, 2024)])
def test_lists_of_county_business_patterns_share_no_code(year: int) -> None:
    lists = census_cells.code_lists(year)
    assert not lists.fixes and not lists.ignored
    assert lists.known == known_codes(census_cells.naics_vintage(year))


@pytest.mark.parametrize("year", [*range(2014, 2025)])
def test_lists_of_qcew_share_no_code(year: int) -> None:
    lists = bls_qcew.code_lists(year)
    assert not lists.known & lists.fixes.keys() and not lists.known & lists.ignored.keys()
    assert not lists.fixes.keys() & lists.ignored.keys()
    assert lists.resolve("238111") == lists.resolve("238112") == "238110"
    assert {code for code, _ in lists.fixes.values()} <= lists.known
    assert lists.resolve("10") == "00" and lists.resolve("1029") is None and lists.resolve("999999") is None
    assert lists.resolve("99") == "99"


def test_a_code_in_two_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="two of the lists"):
        CodeLists(2017, frozenset({"11"}), {}, {"11": "for no reason"})


def block(**columns: list[object]) -> Block:
    """Rows of a file; text becomes codes."""
    arrays = [
        pa.array(values, pa.string()).cast(CODE) if isinstance(values[0], str) else pa.array(values)
        for values in columns.values()
    ]
    return Block(FILE, 2, pa.RecordBatch.from_arrays(arrays, list(columns)))


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1), min_size=1))
def test_numbers_stand_for_the_same_code_in_every_block(blocks: list[list[str]]) -> None:
    numbers = CodeNumbers(str.upper)
    for codes in blocks:
        found = [numbers.values[number] for number in numbers.of(block(code=codes), "code")]
        assert found == [code.upper() for code in codes]


def test_line_of_an_unknown_code() -> None:
    def resolve(code: str) -> str:
        if code == "z":
            raise LookupError("z is nothing")
        return code

    rows = block(code=["z", "a", "b", "z"]).keep(np.array([False, True, True, True]))
    with pytest.raises(SourceFormatError, match=r"https://example\.org/file, line 5: z is nothing"):
        CodeNumbers(resolve).of(rows, "code")


LETTERS = st.sampled_from(["", *RANGES, *sorted(WITHHELD_MARKS)])
FLAGS = st.sampled_from([*sorted(UNMARKED), *NOISE, *sorted(WITHHELD_MARKS)])
ROWS = st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**4), LETTERS, FLAGS), min_size=1)


@given(ROWS, st.booleans())
def test_every_pair_of_marks_is_figure_with_bounds_or_withheld(
    rows: list[tuple[int, int, str, str]], is_zero_printed: bool
) -> None:
    emp, est, letters, flags = (list(column) for column in zip(*rows, strict=True))
    marks = Marks()
    cells = block(emp=emp, est=est, empflag=letters, emp_nf=flags)
    found = marks.disclose(cells, "emp", "empflag", "emp_nf", is_zero_printed=is_zero_printed)
    for i, (figure, establishments, letter, flag) in enumerate(rows):
        low, high = found.low[i], found.high[i]
        assert marks.flags.values[found.flag[i]] == "|".join(filter(None, (flag, letter)))
        is_marked = letter in RANGES or {letter, flag} & WITHHELD_MARKS
        is_bare_zero = figure == 0 and establishments > 0 and flag not in NOISE and not is_zero_printed
        if is_marked or is_bare_zero:
            assert found.status[i] == WITHHELD and isnan(found.figure[i])
            assert (low, high) == RANGES[letter] if letter in set(RANGES) - {"M"} else isnan(high)
        else:
            assert found.status[i] == (NOISED if flag in NOISE else REPORTED)
            assert found.figure[i] == figure
            assert low <= figure and (isnan(high) or figure <= high)
            assert flag == "J" or low >= 0.95 * figure - 1e-6
