"""The newer and the national tables of Eurostat, its table of contents, reference files and configured tables."""

import gzip
import json
import time
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from etl.archive.replies import Absent, Body, Host, Unchanged, Validators
from etl.archive.transport import Downloader
from etl.contracts import contract
from etl.errors import SourceFormatError, TransientError, UsageError
from etl.reference.nuts import nuts_regions
from etl.settings import Settings
from etl.sources import DATASETS
from etl.sources.base import ArchivedFile
from etl.sources.eurostat_toc import is_unchanged, last_updates

GISCO = "gisco-services.ec.europa.eu/distribution/v2/nuts/geojson/NUTS_RG_20M_2021_4326_LEVL_2.geojson.gz"
WORKBOOK = "ec.europa.eu/eurostat/documents/345175/629341/NUTS2021-NUTS2024.xlsx"
TOC = "ec.europa.eu/eurostat/api/dissemination/catalogue/toc/xml.gz"


def archived(folder: Path, dataset: str, body: str | bytes, name: str = "body") -> ArchivedFile:
    path = folder / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return ArchivedFile(dataset, f"https://publisher.example/{name}", "table", "tsv", None, "", 1, path)


def cells(dataset: str, files: list[ArchivedFile], year: int) -> pd.DataFrame:
    table = DATASETS[dataset].parse(files, year).tables["region_industry"]
    return contract("region_industry").conform(table).to_pandas().set_index(["region_code", "industry_code"])


EBS = """freq,nace_r2,indic_sbs,geo\\TIME_PERIOD\t2021 \t2023 
A,B-S_X_O_S94,EMP_LOC_NR,DE\t100 \t110 
A,K,EMP_LOC_NR,DE11\t: @C\t7 
A,K64,EMP_LOC_NR,DE11\t: @C\t: @C
A,I,EMP_LOC_NR,DE11\t12 p\t13 
A,I56,EMP_LOC_NR,DE11\t9 p@C\t10 
A,I56,LOC_NR,DE11\t3 \t3 
A,I56,WAGE_LOC_MEUR,DE11\t0.25 \t0.3 
A,S95,EMP_LOC_NR,DE11\t4 \t4 
A,S96,EMP_LOC_NR,DE11\t5 \t5 
A,I56,LC_EMP_LOC_TEUR,DE11\t30.1 \t31 
"""


def test_the_regional_table_from_2021(tmp_path: Path) -> None:
    file = archived(tmp_path, "eurostat_sbs_ebs", EBS)
    dataset = DATASETS["eurostat_sbs_ebs"]
    dataset.check(file)
    assert sorted(dataset.by_year([file])) == [2021, 2023]
    assert dataset.requests([2023])[0].url.endswith("/SBS_R_NUTS2021?compressed=true&format=TSV")
    rows = cells("eurostat_sbs_ebs", [file], 2021)
    food = rows.loc[("DE11", "56")]
    assert (food.employment, food.establishments, food.payroll, food.employment_flag) == (9, 3, 250_000, "p@C")
    assert (food.source, food.region_vintage, food.is_leaf) == ("eurostat_sbs_ebs", 2021, True)
    finance = rows.loc[("DE11", "64")]
    assert (finance.employment_status, finance.employment_low) == ("withheld", 0)
    assert rows[rows.is_leaf].index.tolist() == [
        ("DE", "TOTAL"),
        *[("DE11", code) for code in ("56", "64", "95", "96")],
    ]


INDUSTRY = """freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2015 
A,C,V16110,DE\t100 
A,C10,V16110,DE\t60 
A,C101,V16110,DE\t40 
A,C1011,V16110,DE\t15 
A,C1011,V11110,DE\t5 
A,C1011,V13320,DE\t1.2 
A,C1012,V16110,DE\t: c
A,C1013,V16110,DE\t20 
A,C10,V16110,DE1\t6 
"""
SERVICES = """freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2015 
A,I5610,V16110,DE\t500 
A,S95,V16110,DE\t7 
A,H-N_S95_X_K,V16110,DE\t9 
"""


def test_national_classes_of_several_sheets_make_one_structure(tmp_path: Path) -> None:
    name = "eurostat_sbs_national"
    files = [archived(tmp_path, name, INDUSTRY, "ind"), archived(tmp_path, name, SERVICES, "se")]
    rows = cells(name, files, 2015)
    assert set(rows.region_scheme) == {"nuts0"}
    assert rows.loc[("DE", "10.11")][["employment", "establishments", "payroll"]].tolist() == [15, 5, 1_200_000]
    assert rows.loc[("DE", "10.12")].employment_status == "withheld"
    leaf = rows[rows.is_leaf].index.get_level_values(1).tolist()
    assert leaf == ["10.11", "10.12", "10.13", "56.10", "95"]
    urls = [request.url for request in DATASETS[name].requests([2015])]
    assert [url.split("/")[-1].split("?")[0] for url in urls] == [
        *("SBS_NA_IND_R2", "SBS_NA_CON_R2", "SBS_NA_DT_R2", "SBS_NA_1A_SE_R2")
    ]


def test_the_national_cube_from_2021_in_sdmx_csv(tmp_path: Path) -> None:
    body = (
        "STRUCTURE,STRUCTURE_ID,freq,nace_r2,indic_sbs,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG,CONF_STATUS\n"
        "dataflow,ESTAT:SBS_OVW_ACT(1.0),A,C10,EMP_NR,FR,2022,700,,\n"
        "dataflow,ESTAT:SBS_OVW_ACT(1.0),A,C101,EMP_NR,FR,2022,300,,\n"
        "dataflow,ESTAT:SBS_OVW_ACT(1.0),A,C1011,EMP_NR,FR,2022,,,C\n"
        "dataflow,ESTAT:SBS_OVW_ACT(1.0),A,C1011,ENT_NR,FR,2022,12,,\n"
        "dataflow,ESTAT:SBS_OVW_ACT(1.0),A,C1011,EMP_NR,FR,2021,1,,\n"
    )
    file = archived(tmp_path, "eurostat_sbs_ovw", body)
    assert sorted(DATASETS["eurostat_sbs_ovw"].by_year([file])) == [2021, 2022]
    rows = cells("eurostat_sbs_ovw", [file], 2022)
    meat = rows.loc[("FR", "10.11")]
    assert (meat.employment_status, meat.employment_flag, meat.establishments) == ("withheld", "@C", 12)


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name.startswith("eurostat_sbs")])
def test_every_table_of_eurostat_names_what_is_no_table(tmp_path: Path, dataset: str) -> None:
    with pytest.raises(SourceFormatError, match="web page"):
        DATASETS[dataset].check(archived(tmp_path, dataset, "<html><body>Sorry</body></html>"))
    with pytest.raises(TransientError, match="asynchronously"):
        DATASETS[dataset].check(archived(tmp_path, dataset, "<e><queued><status>SUBMITTED</status></queued></e>"))
    with pytest.raises(SourceFormatError, match="indic_"):
        DATASETS[dataset].check(archived(tmp_path, dataset, "freq,unit,geo\\TIME_PERIOD\t2021 \nA,EUR,DE\t1 \n"))


def test_last_updates_by_code(tmp_path: Path) -> None:
    body = """<?xml version="1.0"?><nt:tree xmlns:nt="urn:eu.europa.ec.eurostat.navtree">
      <nt:leaf type="dataset"><nt:code>SBS_X</nt:code><nt:lastUpdate>01.03.2024</nt:lastUpdate></nt:leaf>
      <nt:leaf type="table"><nt:code>sbs_x</nt:code><nt:lastUpdate>28.02.2024</nt:lastUpdate></nt:leaf>
      <nt:leaf type="table"><nt:code>empty</nt:code><nt:lastUpdate/></nt:leaf></nt:tree>"""
    file = archived(tmp_path, "eurostat_toc", body)
    DATASETS["eurostat_toc"].check(file)
    assert last_updates(file) == {"sbs_x": date(2024, 3, 1)}
    for wrong in (body[:-20], body.replace("01.03.2024", "2024-03-01")):
        with pytest.raises(SourceFormatError):
            last_updates(archived(tmp_path, "eurostat_toc", wrong))
    with pytest.raises(SourceFormatError):
        DATASETS["eurostat_toc"].check(archived(tmp_path, "eurostat_toc", "<rss/>"))


@pytest.mark.parametrize(
    ("code", "confirmed", "expected"),
    [
        ("SBS_X", "2024-03-02T00:00:01Z", True),
        ("SBS_X", "2024-03-01T23:59:00Z", False),
        ("SBS_X", "2023-12-31T12:00:00Z", False),
        ("SBS_Y", "2024-03-02T00:00:01Z", False),
    ],
)
def test_a_copy_newer_than_the_last_update_need_not_be_asked_for(code: str, confirmed: str, expected: bool) -> None:
    url = f"https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/{code}?compressed=true&format=TSV"
    assert is_unchanged({"sbs_x": date(2024, 3, 1)}, url, confirmed) is expected
    assert not is_unchanged({"xml": date(2000, 1, 1)}, "https://ec.europa.eu/catalogue/toc/xml", confirmed)


def test_the_table_of_contents_of_2024(shared: Path) -> None:
    path = shared / "mirror" / TOC
    file = ArchivedFile("eurostat_toc", "https://ec.europa.eu/", "toc", "xml", None, "", 1, path)
    DATASETS["eurostat_toc"].check(file)
    found = last_updates(file)
    assert len(found) == 7_228
    assert found["sbs_r_nuts06_r2"] == date(2024, 3, 1)
    assert found["sbs_r_nuts2021"] == date(2024, 2, 21)


def workbook(path: Path, change: dict[str, str | None]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for sheet, prefix in (("NUTS2024", "NUTS"), ("Statistical Regions", "SR")):
        rows = book.create_sheet(sheet)
        rows.append(["Country code", f"{prefix} Code", f"{prefix} label", f"{prefix} level"])
        for code, name in nuts_regions(2024).items():
            is_union = any(code[:2] == other[:2] for other in ("DE", "FR", "NL"))
            is_here = is_union if prefix == "NUTS" else code[:2] == "NO"
            if len(code) > 2 and is_here and change.get(code, name) is not None:
                rows.append([code[:2], code, change.get(code, f" {name}  "), len(code) - 2])
    rows = book.create_sheet("NUTS2021- NUTS2024")
    rows.append(["#", "Country Code", "Code 2021", "Code 2024"])
    for code in nuts_regions(2021):
        if code[:2] in ("DE", "FR", "NL"):
            rows.append([1, code[:2], code, None])
    book.save(path)


def test_a_moved_list_of_regions_is_a_warning_with_its_rows(tmp_path: Path) -> None:
    dataset = DATASETS["nuts_changes"]
    same = tmp_path / "same.xlsx"
    workbook(same, {})
    file = ArchivedFile("nuts_changes", "https://x/", "workbook", "xlsx", None, "", 1, same)
    dataset.check(file)
    assert dataset.parse([file], None).notes == []
    moved = tmp_path / "moved.xlsx"
    workbook(moved, {"DE40": "Somewhere else", "NL35": None})
    (note,) = dataset.parse(
        [ArchivedFile("nuts_changes", "https://x/", "workbook", "xlsx", None, "", 1, moved)], None
    ).notes
    assert note.startswith("warning: the list of NUTS 2024")
    assert "DE40" in note and "Somewhere else" in note and "NL35" in note and "2 rows" in note


def test_the_official_workbook_agrees_with_the_built_in_lists(shared: Path) -> None:
    path = shared / "mirror" / WORKBOOK
    file = ArchivedFile("nuts_changes", "https://ec.europa.eu/", "workbook", "xlsx", None, "", 1, path)
    DATASETS["nuts_changes"].check(file)
    assert DATASETS["nuts_changes"].parse([file], None).notes == []
    assert DATASETS["nuts_changes"].requests([])[0].url.endswith(WORKBOOK)


def test_boundaries_of_every_region(tmp_path: Path, shared: Path) -> None:
    dataset = DATASETS["nuts_boundaries"]
    path = shared / "mirror" / GISCO
    file = ArchivedFile("nuts_boundaries", "https://gisco/", "boundaries", "json", None, "", 1, path)
    dataset.check(file)
    assert dataset.parse([file], None).notes == []
    shapes = json.loads(gzip.decompress(path.read_bytes()))
    assert len(shapes["features"]) == 334
    lost = archived(tmp_path, "nuts_boundaries", json.dumps(shapes | {"features": shapes["features"][1:]}))
    assert len(dataset.parse([lost], None).notes) == 1
    with pytest.raises(SourceFormatError):
        dataset.parse([archived(tmp_path, "nuts_boundaries", '{"type": "FeatureCollection"}')], None)


OBSERVATORY = """NUTS;Sector;Jahr;Jobs;SQ
DE11;Automotive;2014;1000;2.5
DE11;Cars;2014;;
FRA1;Tourism;2014;7;0.5
DE11;Automotive;2016;9;9
"""
COLUMNS = {"region_code": "NUTS", "cluster": "Sector", "year": "Jahr", "employment": "Jobs", "location_quotient": "SQ"}


def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, **declared: object) -> None:
    description = tmp_path / f"{name}.json"
    description.write_text(json.dumps(declared), encoding="utf-8")
    monkeypatch.setenv(f"CLUSTERBRIDGE_{name.upper()}", str(description))


@pytest.mark.parametrize("name", ["observatory", "cluster_organisations"])
def test_what_is_not_configured_is_not_asked_for(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(f"CLUSTERBRIDGE_{name.upper()}", raising=False)
    assert DATASETS[name].requests([2015]) == []


def test_a_configured_table_of_an_observatory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = {"Cars": None, "Tourism": 19}
    configure(tmp_path, monkeypatch, "observatory", address="x.csv", delimiter=";", columns=COLUMNS, clusters=clusters)
    dataset = DATASETS["observatory"]
    (request,) = dataset.requests([])
    assert request.url == (Path.cwd() / "x.csv").as_uri() and request.content == "csv"
    file = archived(tmp_path, "observatory", OBSERVATORY)
    dataset.check(file)
    assert sorted(dataset.by_year([file])) == [2014, 2016]
    rows = dataset.parse([file], 2014).tables["published_region_cluster"].to_pandas().set_index("region_code")
    assert rows.employment.to_dict() == {"DE11": 1000, "FRA1": 7}
    assert rows.cluster_code.to_dict()["FRA1"] == 19
    assert rows.loc["FRA1", "region_vintage"] == 2013
    assert set(rows.portal) == {"observatory"} and rows.location_quotient["DE11"] == 2.5


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("DE11;Nothing;2014;1;1\n", "line 6.*Nothing"),
        ("QQ11;Automotive;2014;1;1\n", "line 6.*QQ11"),
        ("DE11;Automotive;2014;many;1\n", "line 6.*many"),
        ("DE11;Automotive;last;1;1\n", "line 6.*last"),
        ("DE11;Automotive;2014;1;1;1\n", "line 6.*more cells"),
    ],
)
def test_a_configured_table_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, words: str
) -> None:
    clusters = {"Cars": None, "Tourism": 19}
    configure(tmp_path, monkeypatch, "observatory", address="x.csv", delimiter=";", columns=COLUMNS, clusters=clusters)
    with pytest.raises(SourceFormatError, match=words):
        DATASETS["observatory"].parse([archived(tmp_path, "observatory", OBSERVATORY + row)], 2014)


def test_a_description_that_cannot_be_used_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, monkeypatch, "observatory", address="x.csv", columns={"colour": "C"})
    with pytest.raises(UsageError, match="colour"):
        DATASETS["observatory"].requests([])
    configure(tmp_path, monkeypatch, "observatory", address="x.csv", columns={"region_code": "C"})
    with pytest.raises(UsageError, match="cluster, year"):
        DATASETS["observatory"].requests([])
    configure(tmp_path, monkeypatch, "observatory", columns={})
    with pytest.raises(UsageError, match="address"):
        DATASETS["observatory"].requests([])
    monkeypatch.setenv("CLUSTERBRIDGE_OBSERVATORY", str(tmp_path / "absent.json"))
    with pytest.raises(UsageError, match="absent"):
        DATASETS["observatory"].requests([])


def test_a_configured_list_of_organisations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {
        "organisation_id": "ID",
        "organisation_name": "Name",
        "country_code": "Country",
        "industry_codes": "NACE",
    }
    configure(tmp_path, monkeypatch, "cluster_organisations", address="https://x/list.csv", columns=columns)
    dataset = DATASETS["cluster_organisations"]
    assert dataset.requests([])[0].url == "https://x/list.csv"
    one = '1,"Cluster, one",GR,29.10|29.20,x\n2,Two,,,\n1,"Cluster, one",GR,29.20;30.11,y\n\n'
    body = "\ufeffID,Name,Country,NACE,Other\n" + one
    file = archived(tmp_path, "cluster_organisations", body)
    dataset.check(file)
    rows = dataset.parse([file], None).tables["organisation"].to_pylist()
    assert [row["organisation_id"] for row in rows] == ["1", "2"]
    assert (rows[0]["organisation_name"], rows[0]["country_code"]) == ("Cluster, one", "EL")
    assert (rows[0]["industry_codes"], rows[0]["description"]) == ("29.10;29.20;30.11", "")
    with pytest.raises(SourceFormatError, match="Name"):
        dataset.check(archived(tmp_path, "cluster_organisations", "ID,Country,NACE\n"))
    with pytest.raises(SourceFormatError, match=r"line 2.*identifier"):
        dataset.parse([archived(tmp_path, "cluster_organisations", body.replace("\n1,", "\n,", 1))], None)


def test_a_configured_sheet_of_a_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Data"
    for row in (["NUTS", "Sector", "Jahr", "Jobs", "SQ"], ["DE11", "Automotive", 2014, 1000, 2.5]):
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    configure(tmp_path, monkeypatch, "observatory", address="x.xlsx", sheet="Data", columns=COLUMNS)
    file = ArchivedFile("observatory", "https://x/", "table", "xlsx", None, "", 1, tmp_path / "book.xlsx")
    (row,) = DATASETS["observatory"].parse([file], 2014).tables["published_region_cluster"].to_pylist()
    assert (row["region_code"], row["cluster_code"], row["employment"]) == ("DE11", 4, 1000)


def test_a_configured_file_is_taken_from_this_machine_once(tmp_path: Path) -> None:
    source = tmp_path / "a list.csv"
    source.write_text("a,b\n1,2\n", encoding="utf-8")
    downloader = Downloader(Settings(), "http://127.0.0.1:1", time.monotonic() + 60)
    url = source.as_uri()
    body = downloader.get(url, None, Validators(), Host(), tmp_path / "part")
    assert isinstance(body, Body) and body.path.read_bytes() == source.read_bytes()
    assert isinstance(downloader.get(url, None, body.validators, Host(), tmp_path / "part"), Unchanged)
    source.write_text("a,b\n1,3\n4,5\n", encoding="utf-8")
    assert isinstance(downloader.get(url, None, body.validators, Host(), tmp_path / "part"), Body)
    source.unlink()
    assert isinstance(downloader.get(url, None, body.validators, Host(), tmp_path / "part"), Absent)


def test_profiles_tell_what_a_later_copy_may_not_lose(tmp_path: Path) -> None:
    profile = DATASETS["eurostat_sbs_ebs"].profile(archived(tmp_path, "eurostat_sbs_ebs", EBS))
    assert profile == {
        "years": ["2021", "2023"],
        "areas": ["DE", "DE11"],
        "activities": ["B-S_X_O_S94", "I", "I56", "K", "K64", "S95", "S96"],
        "employment 2021": 100.0,
        "employment 2023": 110.0,
    }
