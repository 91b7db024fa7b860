"""Urssaf's communes: both headers, quoted labels, départements only, whole regions only, parts are lower bounds."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.reference.nuts import nuts_regions
from etl.sources.base import ArchivedFile
from etl.sources.fr_urssaf import NUTS_OF_DEPARTEMENT, FrUrssaf

LABELS = (
    "\ufeffRégion;Secteur NA88;APE;Code département;Code commune;Code APE;"
    "Nombre d'établissements 2021;Effectifs salariés 2021;Nombre d'établissements 2022;Effectifs salariés 2022\n"
)
TECHNICAL = (
    "region;na88;ape;code_departement;code_commune;code_ape;"
    "nombre_d_etablissements_2021;effectifs_salaries_2021;nombre_d_etablissements_2022;effectifs_salaries_2022\n"
)
HEAD_OFFICES = '"70 Activités des sièges sociaux ; conseil de gestion"'
ROWS = f"""Normandie;43 Travaux;4399A Étanchéification;76;76005;4399A;1;3;2;7
Normandie;43 Travaux;4399B Autres;76;76006;4399B;;;1;5
Normandie;{HEAD_OFFICES};7010Z Sièges;76;76005;7010Z;1;40;;
Normandie;43 Travaux;4399A Étanchéification;27;27001;4399A;2;6;1;0
Normandie;56 Restauration;5610A Restaurants;27;27001;5610A;1;;3;9
"""


def archived(folder: Path, rows: str, kind: str = "extract", header: str = LABELS) -> ArchivedFile:
    path = folder / f"{kind}.csv"
    path.write_text(header + rows, encoding="utf-8")
    return ArchivedFile("fr_urssaf", f"https://open.urssaf.fr/{kind}", kind, "csv", None, "", 1, path)


def frame(files: list[ArchivedFile], year: int) -> pd.DataFrame:
    table = FrUrssaf().parse(files, year).tables["region_industry"]
    return contract("region_industry").conform(table).to_pandas().set_index(["region_code", "industry_code"])


@pytest.mark.parametrize("header", [LABELS, TECHNICAL], ids=["labels", "technical"])
def test_communes_and_subclasses_are_added_up(tmp_path: Path, header: str) -> None:
    file = archived(tmp_path, ROWS, header=header)
    FrUrssaf().check(file)
    assert FrUrssaf().by_year([file]) == {2021: [file], 2022: [file]}
    rows = frame([file], 2022)
    assert rows.employment.to_dict() == {("FRD21", "43.99"): 0, ("FRD21", "56.10"): 9, ("FRD22", "43.99"): 12}
    assert rows.establishments.to_dict() == {("FRD21", "43.99"): 1, ("FRD21", "56.10"): 3, ("FRD22", "43.99"): 3}
    assert set(rows.region_scheme) == {"nuts3"} and set(rows.region_vintage) == {2021}
    assert frame([file], 2021).loc[("FRD22", "70.10")].employment == 40


def test_an_extract_gives_lower_bounds(tmp_path: Path) -> None:
    rows = frame([archived(tmp_path, ROWS)], 2022)
    assert set(rows.employment_status) == {"bounded"}
    assert rows.employment_high.isna().all()
    assert (rows.employment_low == rows.employment).all()
    assert "extract" in FrUrssaf().parse([archived(tmp_path, ROWS)], 2022).notes[0]


def test_of_the_whole_only_complete_regions_are_made(tmp_path: Path) -> None:
    corsica = "".join(f"Corse;x;y;{code};{code}001;5610A;1;{n};2;{n + 1}\n" for code, n in (("2A", 4), ("2B", 6)))
    file = archived(tmp_path, ROWS + corsica, "whole")
    rows = frame([file], 2022)
    restaurants = rows.xs("56.10", level=1).employment.to_dict()
    assert restaurants == {"FRD2": 9, "FRD21": 9, "FRM01": 5, "FRM02": 7, "FRM0": 12, "FRM": 12}
    assert set(rows.xs("43.99", level=1).index) == {"FRD2", "FRD21", "FRD22"}
    assert "FR" not in rows.index.get_level_values(0)
    assert set(rows.employment_status) == {"reported"}


def test_the_whole_counts_once_beside_its_extract(tmp_path: Path) -> None:
    whole, part = archived(tmp_path, ROWS, "whole"), archived(tmp_path, ROWS, "extract")
    assert frame([whole, part], 2022).loc[("FRD22", "43.99")].employment == 12
    assert FrUrssaf().by_year([part, whole])[2022] == [whole]


def test_an_establishment_without_a_number_makes_a_lower_bound(tmp_path: Path) -> None:
    file = archived(tmp_path, ROWS, "whole")
    restaurants = frame([file], 2021).loc[("FRD21", "56.10")]
    assert (restaurants.employment, restaurants.employment_status) == (0, "bounded")
    assert np.isnan(restaurants.employment_high)
    assert any("1 establishments are listed without" in note for note in FrUrssaf().parse([file], 2021).notes)


def test_every_nuts_3_region_of_france_has_its_departement() -> None:
    codes = {code for code in nuts_regions(2021) if code.startswith("FR") and len(code) == 5 and code != "FRZZZ"}
    assert set(NUTS_OF_DEPARTEMENT.values()) == codes
    assert len(NUTS_OF_DEPARTEMENT) == 101
    by_name = {"2A": "Corse-du-Sud", "60": "Oise", "69": "Rhône", "75": "Paris", "90": "Territoire de Belfort"}
    assert {code: nuts_regions(2021)[NUTS_OF_DEPARTEMENT[code]] for code in by_name} == by_name


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("x;y;z;99;99001;5610A;1;1;1;1\n", "line 7.*'99'"),
        ("x;y;z;76;76001;5699Z;1;1;1;1\n", "line 7.*5699Z"),
        ("x;y;z;76;76001;56.10;1;1;1;1\n", "line 7.*56.10"),
        ("x;y;z;76;76001;5610A;1;1;1;-4\n", "line 7.*negative"),
        ("x;y;z;76;76001;5610A;1;1;1;few\n", "few"),
        ("x;y;z;76;76001\n", "Expected 10 columns"),
    ],
)
def test_what_nobody_declared_stops_the_file(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(SourceFormatError, match=words):
        FrUrssaf().parse([archived(tmp_path, ROWS + row)], 2022)


def test_territories_outside_nuts_are_left_out_and_counted(tmp_path: Path) -> None:
    parsed = FrUrssaf().parse([archived(tmp_path, ROWS + "x;y;z;978;97801;5610A;1;1;1;8\n")], 2022)
    assert any(note.startswith("8 employees of") for note in parsed.notes)


def test_answers_that_are_no_table_are_refused(tmp_path: Path) -> None:
    for body in ("<html><body>maintenance</body></html>", "a;b\n1;2\n", ""):
        with pytest.raises(SourceFormatError):
            FrUrssaf().check(archived(tmp_path, "", header=body))
    with pytest.raises(SourceFormatError, match="1999"):
        FrUrssaf().parse([archived(tmp_path, ROWS)], 1999)


def test_the_zone_of_rouen(shared: Path) -> None:
    with (shared / "mirror/index.csv").open(encoding="utf-8") as index:
        (row,) = [row for row in csv.DictReader(index) if "urssaf" in row["url"]]
    whole, extract = FrUrssaf().requests([2022])
    assert extract.url == row["url"] and whole.kind == "whole"
    path = shared / "mirror" / row["path"]
    file = ArchivedFile("fr_urssaf", row["url"], "extract", "csv", None, "", 1, path)
    FrUrssaf().check(file)
    assert list(FrUrssaf().by_year([file])) == list(range(2006, 2023))
    rows = frame([file], 2022)
    assert rows.employment.sum() == 183_731
    assert rows.establishments.sum() == 14_978
    assert rows.loc[("FRD22", "78.20")].employment == 5_999
    assert set(rows.index.get_level_values(0)) == {"FRD22"}
    assert frame([file], 2006).employment.sum() == 180_759
