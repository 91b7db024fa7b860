"""Files that are cut at a line end, lose rows, or whose totals changed, are told from whole ones by their own sums."""

from pathlib import Path

import pytest
from us_files import csv_text, request_of, text_file

from etl import reference
from etl.errors import ImplausibleError, SourceFormatError
from etl.sources.base import ArchivedFile
from etl.sources.census_cbp import CensusCbp
from etl.sources.completeness import ROWS_FROM, require_all
from etl.sources.us_cluster_mapping import UsClusterMapping

CBP = CensusCbp()
HEADER = ("uscode", "naics", "emp", "qp1", "ap", "est")
YEAR = 2005
Line = tuple[str, str, int, int, int, int]


def nation() -> list[Line]:
    """A national file in the order of the publisher's: every code above its parts, which add up to it."""
    establishments = {code: 3 + int(code) % 7 for code in sorted(reference.naics_codes(2002))}
    sums: dict[str, int] = {}
    for code, count in (establishments | {"99": 50}).items():
        joint = {"32": "31", "33": "31", "45": "44", "49": "48"}.get(code[:2], code[:2])
        for above in {"00", joint, *(code[:digits] for digits in range(3, len(code) + 1))}:
            sums[above] = sums.get(above, 0) + count
    return [("98", _written(code), n * 12, n * 90, n * 400, n) for code, n in sorted(sums.items())]


def _written(code: str) -> str:
    return "------" if code == "00" else code.ljust(6, "-" if len(code) == 2 else "/")


def archived(folder: Path, lines: list[Line]) -> ArchivedFile:
    return text_file(request_of(CBP, YEAR, "us"), folder / "cbp05us.txt", csv_text(HEADER, lines))


def test_a_whole_file_passes(tmp_path: Path) -> None:
    lines = nation()
    assert CBP.profile(archived(tmp_path, lines))["establishments"] == lines[0][5]


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.8, 0.9, 0.95, 0.99])
def test_a_body_cut_at_a_line_end_is_refused(tmp_path: Path, share: float) -> None:
    lines = nation()
    with pytest.raises(ImplausibleError):
        CBP.profile(archived(tmp_path, lines[: int(len(lines) * share)]))


@pytest.mark.parametrize("start", [0, 1, 20, 400, 900, 1500])
def test_rows_lost_in_the_middle_are_refused(tmp_path: Path, start: int) -> None:
    lines = nation()
    with pytest.raises(ImplausibleError):
        CBP.profile(archived(tmp_path, lines[:start] + lines[start + 30 :]))


@pytest.mark.parametrize(("column", "words"), [(5, "establishments in all"), (2, "jobs in all")])
def test_a_halved_total_is_refused(tmp_path: Path, column: int, words: str) -> None:
    lines = nation()
    total = list(lines[0])
    total[column] = int(total[column]) // 2
    with pytest.raises(ImplausibleError, match=words):
        CBP.profile(archived(tmp_path, [tuple(total), *lines[1:]]))  # type: ignore[list-item]


def test_no_employment_anywhere_is_refused(tmp_path: Path) -> None:
    lines = [(*line[:2], 0, *line[3:4], 0, line[5] * 10) for line in nation()]
    with pytest.raises(ImplausibleError, match="no employment at all"):
        CBP.profile(archived(tmp_path, lines))


def test_a_negative_figure_is_told_with_its_line(tmp_path: Path) -> None:
    lines = nation()
    lines[7] = (*lines[7][:2], -5, *lines[7][3:])
    with pytest.raises(SourceFormatError, match="line 9: emp is negative"):
        CBP.profile(archived(tmp_path, lines))


def test_of_an_extract_nothing_is_asked(tmp_path: Path) -> None:
    lines = nation()
    CBP.profile(archived(tmp_path, lines[: ROWS_FROM - 1]))
    require_all("here", "states", {"01"}, set(), ROWS_FROM - 1)


def test_a_page_of_the_portal_has_all_clusters_of_its_regions(tmp_path: Path) -> None:
    clusters = [code for code in reference.cluster_codes() if code > 0]
    states = sorted(set(reference.states()) - {"11"})
    rows = [
        f'{{"id":"cluster/state/{state}/{code}/2016","region_type_t":"state","region_code_t":"{state}",'
        f'"cluster_code_t":"{code}","year_t":"2016","emp_tl":10,"emp_reported_tl":10,"est_tl":2}}'
        for state in states
        for code in clusters
    ]
    portal = UsClusterMapping()

    def page(count: int) -> ArchivedFile:
        body = "[" + ",".join(rows[:count]) + "]"
        return text_file(request_of(portal, 2016, "state"), tmp_path / f"{count}.json", body)

    portal.profile(page(len(rows)))
    for count, words in ((len(rows) - 5, "clusters"), (len(clusters) * 20, "states")):
        with pytest.raises(ImplausibleError, match=words):
            portal.profile(page(count))
