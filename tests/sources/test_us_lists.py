"""Delineations and concordances: a difference from the built-in table is a warning with its rows, never taken over."""

import builtins
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from us_files import archived, request_of, text_file

from etl import reference
from etl.errors import SourceFormatError
from etl.reference.store import rows as built_in_rows
from etl.sources.base import ArchivedFile
from etl.sources.cbsa_delineation import CbsaDelineation
from etl.sources.comparison import SHOWN, differences
from etl.sources.naics_concordances import NaicsConcordances

AREAS = CbsaDelineation()
LINKS = NaicsConcordances()
AREA_HEADER = [
    "CBSA Code",
    "CBSA Title",
    "County/County Equivalent",
    "State Name",
    "FIPS State Code",
    "FIPS County Code",
]


def workbook(
    folder: Path, dataset: CbsaDelineation | NaicsConcordances, kind: str, rows: list[list[Any]]
) -> ArchivedFile:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    path = folder / f"{kind}.xlsx"
    book.save(path)
    return archived(request_of(dataset, None, kind), path)


def delineation(folder: Path, changes: dict[str, str | None]) -> ArchivedFile:
    """The list of 2023 as ours would look there, with other areas for some counties."""
    areas = reference.county_area("us_cbsa", 2023) | changes
    rows = [[area, "A title", "A county", "A state", c[:2], c[2:]] for c, area in areas.items() if area]
    rows += [["10380", "Aguada", "Aguada Municipio", "Puerto Rico", "72", "003"]]
    title = ["List 1. Core based statistical areas", *[None] * 5]
    note = ["Note: the standards are elsewhere.", *[None] * 5]
    return workbook(folder, AREAS, "2023", [title, AREA_HEADER, *rows, [None] * 6, note])


def test_equal_delineation_needs_no_words(tmp_path: Path) -> None:
    file = delineation(tmp_path, {})
    AREAS.check(file)
    assert AREAS.parse([file], None).notes == []


def test_changed_delineation_is_told(tmp_path: Path) -> None:
    area = reference.county_area("us_cbsa", 2023)["01001"]
    (note,) = AREAS.parse([delineation(tmp_path, {"01001": None, "01011": "33860"})], None).notes
    assert note.startswith("warning: ") and "differs from the built-in table in 2 rows" in note
    assert f"01001: built in {area}, published nothing" in note


def concordance(folder: Path, drop: str = "", add: tuple[str, str] | None = None) -> ArchivedFile:
    """2022 to 2017 as ours would look there."""
    changed = [
        (row["from_code"], row["to_code"]) for row in built_in_rows("naics_link") if row["from_vintage"] == "2022"
    ]
    moved = {code for link in changed for code in link}
    kept = [(c, c) for c in reference.naics_codes(2022) & reference.naics_codes(2017) if c not in moved]
    links = [link for link in changed + kept if link[0] != drop] + ([add] if add else [])
    header = ["2022 NAICS Code", "2022 NAICS Title", "2017 NAICS Code", "2017 NAICS Title\n(and piece)"]
    rows = [[int(a), "A title", int(b), "A title"] for a, b in links]
    return workbook(folder, LINKS, "2022_to_2017_NAICS", [["2022 NAICS matched to 2017"], [], header, *rows])


def test_equal_concordance_needs_no_words(tmp_path: Path) -> None:
    file = concordance(tmp_path)
    LINKS.check(file)
    assert LINKS.parse([file], None).notes == []


def test_lost_code_and_new_link_are_told(tmp_path: Path) -> None:
    notes = LINKS.parse([concordance(tmp_path, drop="113310", add=("111110", "111120"))], None).notes
    assert any("113310: built in a code, published nothing" in note and "NAICS 2022" in note for note in notes)
    assert any("111110: built in nothing, published 111110, 111120" in note for note in notes)


def test_workbook_in_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="CBSA Code"):
        AREAS.parse([workbook(tmp_path, AREAS, "2023", [["Code", "Title"], ["1", "2"]])], None)
    with pytest.raises(SourceFormatError, match="NAICS Code"):
        LINKS.parse([workbook(tmp_path, LINKS, "2022_to_2017_NAICS", [["Code"], ["1"]])], None)


@pytest.mark.parametrize("dataset", [AREAS, LINKS])
def test_what_is_no_workbook_is_refused(tmp_path: Path, dataset: CbsaDelineation | NaicsConcordances) -> None:
    request = dataset.requests([])[0]
    for body in ("<html></html>", "PK nothing", ""):
        with pytest.raises(SourceFormatError):
            dataset.check(text_file(request, tmp_path / "body", body))


def test_without_the_package_for_workbooks_a_note_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = delineation(tmp_path, {"01001": None})
    found = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "openpyxl":
            raise ImportError("No module named 'openpyxl'", name="openpyxl")
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    (note,) = AREAS.parse([file], None).notes
    assert "not compared" in note and "install the extra excel (openpyxl is missing)" in note


def test_many_differences_are_counted() -> None:
    ours = {str(number): number for number in range(SHOWN + 7)}
    (note,) = differences("A list", ours, {})
    assert f"in {SHOWN + 7} rows" in note and note.endswith("and 7 more")
