"""Eurostat's formats: one frame whatever the format, a blank is never a zero, marks survive."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceFormatError, TransientError
from etl.sources import eurostat_formats as formats
from etl.sources.base import ArchivedFile

TSV = """freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2015 \t2016 
A,B,V16110,AT\t7089 \t: c
A,B05,V16110,NO\t219 d\t: @C
A,B,V16110,PL11\t: d\t12 p@C
A,B,V16110,PL12\t: \t88.1 p
A,B,V16110,PL21\t: bc\t0 n
A,B,V16110,PL22\t: dc\t: z
A,B,V11210,AT\t1 \t2 
"""

SDMX_1 = """DATAFLOW,LAST UPDATE,freq,nace_r2,indic_sb,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG,CONF_STATUS
ESTAT:SBS_R_NUTS06_R2(1.0),18/07/26 11:00:00,A,B,V16110,AT,2015,7089,,
ESTAT:SBS_R_NUTS06_R2(1.0),18/07/26 11:00:00,A,B,V16110,AT,2016,,,C
ESTAT:SBS_R_NUTS06_R2(1.0),18/07/26 11:00:00,A,B,V16110,PL11,2016,12,p,C
ESTAT:SBS_R_NUTS06_R2(1.0),18/07/26 11:00:00,A,B,V16110,PL12,2016,88.1,p,
ESTAT:SBS_R_NUTS06_R2(1.0),18/07/26 11:00:00,A,B,V16110,PL21,2016,0,n,
ESTAT:SBS_R_NUTS06_R2(1.0),18/07/26 11:00:00,A,B,V16110,PL22,2016,,z,
ESTAT:SBS_R_NUTS06_R2(1.0),18/07/26 11:00:00,A,B05,V16110,NO,2016,,,C
"""
SDMX_2 = (
    SDMX_1.replace("DATAFLOW,LAST UPDATE", "STRUCTURE,STRUCTURE_ID")
    .replace("ESTAT:SBS_R_NUTS06_R2(1.0)", "dataflow")
    .replace("18/07/26 11:00:00", "ESTAT:SBS_R_NUTS06_R2(1.0)")
)
JSON_STAT = {
    "version": "2.0",
    "class": "dataset",
    "id": ["freq", "nace_r2", "indic_sb", "geo", "time"],
    "size": [1, 2, 1, 6, 2],
    "dimension": {
        "freq": {"category": {"index": {"A": 0}}},
        "nace_r2": {"category": {"index": {"B05": 1, "B": 0}}},
        "indic_sb": {"category": {"index": {"V16110": 0}}},
        "geo": {"category": {"index": {"AT": 0, "PL11": 1, "PL12": 2, "PL21": 3, "PL22": 4, "NO": 5}}},
        "time": {"category": {"index": {"2015": 0, "2016": 1}}},
    },
    "value": {"0": 7089, "3": 12, "5": 88.1, "7": 0},
    "status": {"1": "|C", "3": "p|C", "5": "p", "7": "n", "9": "z", "23": "|C"},
}
EXPECTED_2016 = {
    ("B", "AT"): (None, "", "C"),
    ("B", "PL11"): (12.0, "p", "C"),
    ("B", "PL12"): (88.1, "p", ""),
    ("B", "PL21"): (0.0, "n", ""),
    ("B", "PL22"): (None, "z", ""),
    ("B05", "NO"): (None, "", "C"),
}


def archived(folder: Path, body: str | bytes, packed: bool = False) -> ArchivedFile:
    """A file of the archive that holds `body`."""
    data = body.encode() if isinstance(body, str) else body
    path = folder / "body"
    path.write_bytes(gzip.compress(data) if packed else data)
    url = "https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/X"
    return ArchivedFile("eurostat_sbs", url, "data", "tsv", None, "", len(data), path)


def cells(table: pa.Table) -> dict[tuple[str, str], tuple[float | None, str, str]]:
    rows = table.to_pylist()
    return {(r["nace_r2"], r["geo"]): (r["value"], r["flags"], r["confidentiality"]) for r in rows}


@pytest.mark.parametrize("body", [TSV, SDMX_1, SDMX_2, json.dumps(JSON_STAT)], ids=["tsv", "sdmx1", "sdmx2", "json"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_gives_the_same_observations(tmp_path: Path, body: str, packed: bool) -> None:
    table = formats.read(archived(tmp_path, body, packed), "2016", {"indic_sb": ["V16110"]})
    assert cells(table) == EXPECTED_2016
    assert table.column_names == [
        *("freq", "nace_r2", "indic_sb", "geo"),
        *("value", "mark", "flags", "confidentiality", "line"),
    ]


def test_old_and_new_marks_of_confidentiality_mean_the_same(tmp_path: Path) -> None:
    rows = cells(formats.read(archived(tmp_path, TSV), "2015", {"indic_sb": ["V16110"]}))
    assert rows["B", "PL21"] == (None, "b", "C")
    assert rows["B", "PL22"] == (None, "d", "C")
    assert rows["B", "PL11"] == (None, "d", "")
    assert rows["B05", "NO"] == (219.0, "d", "")
    marks = formats.read(archived(tmp_path, TSV), "2015", {"geo": ["PL22"]}).column("mark").to_pylist()
    assert marks == ["dc"]


def test_the_order_of_dimensions_and_years_comes_from_the_file(tmp_path: Path) -> None:
    old = "indic_sb,nace_r2,geo\\time\t2016 \t2015\nV16110,C10,DE\t: c\t5 \nV16110,C,DE\t1 e\t:\n"
    table = formats.read(archived(tmp_path, old), "2015", {})
    assert table.select(["indic_sb", "nace_r2", "geo", "value"]).to_pylist() == [
        {"indic_sb": "V16110", "nace_r2": "C10", "geo": "DE", "value": 5.0},
        {"indic_sb": "V16110", "nace_r2": "C", "geo": "DE", "value": None},
    ]


def test_a_period_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert formats.read(archived(tmp_path, TSV), "1999", {}).num_rows == 0
    assert formats.read(archived(tmp_path, SDMX_1), "1999", {}).num_rows == 0
    assert formats.periods(archived(tmp_path, TSV)) == ["2015", "2016"]


def test_labels_are_cut_off(tmp_path: Path) -> None:
    body = (
        "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,nace_r2,Activity,geo,Area,TIME_PERIOD,Time,OBS_VALUE,OBS_FLAG,CONF_STATUS\n"
        'dataflow,ESTAT:X(1.0),"Title, long",B: Mining,Mining,DE: Germany,Germany,2016,2016,7,p: provisional,\n'
    )
    table = formats.read(archived(tmp_path, body), "2016", {})
    assert cells(table) == {("B", "DE"): (7.0, "p", "")}


@pytest.mark.parametrize("cell", ["12:00 AM", "", "n/a", "1,5", "0x1", "7 @", ": ?", "--5", "1 2"])
def test_a_cell_that_is_neither_number_nor_blank_is_refused_with_its_line(tmp_path: Path, cell: str) -> None:
    body = f"freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2015 \nA,B,V16110,AT\t7 \nA,B,V16110,BE\t{cell}\n"
    with pytest.raises(SourceFormatError, match="line 3"):
        formats.read(archived(tmp_path, body), "2015", {})


def test_a_series_key_of_other_length_is_refused_with_its_line(tmp_path: Path) -> None:
    body = "freq,nace_r2,geo\\TIME_PERIOD\t2015 \nA,B,AT\t7 \nA,B,C,AT\t8 \n"
    with pytest.raises(SourceFormatError, match=r"line 3.*A,B,C,AT"):
        formats.read(archived(tmp_path, body), "2015", {})


def test_a_body_cut_short_is_refused(tmp_path: Path) -> None:
    file = archived(tmp_path, TSV * 500, packed=True)
    file.path.write_bytes(file.path.read_bytes()[:-20])
    with pytest.raises(SourceFormatError, match="damaged or cut short"):
        formats.read(file, "2015", {})
    ragged = archived(tmp_path, TSV[: TSV.rindex("\t")])
    with pytest.raises(SourceFormatError, match="damaged or cut short"):
        formats.read(ragged, "2015", {})


OUTAGE = "<!DOCTYPE html><html><head><title>Sorry</title></head></html>"
QUEUED = (
    '<?xml version="1.0"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
    "<ns0:syncResponse><queued><id>6f6e</id><status>SUBMITTED</status></queued></ns0:syncResponse>"
    "</env:Body></env:Envelope>"
)
TOO_BIG = (
    "<S:Fault><faultcode>413</faultcode><faultstring>EXTRACTION_TOO_BIG: 6000000 rows, maximum 5000000</faultstring>"
    "</S:Fault>"
)
LATER = '{"warning":{"status":413,"label":"ASYNCHRONOUS_RESPONSE. Your request will be treated asynchronously."}}'
ERROR = '{"error":[{"status":404,"id":100,"label":"no results"}]}'


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (OUTAGE, SourceFormatError, "web page"),
        (QUEUED, TransientError, "asynchronously"),
        (LATER, TransientError, "asynchronously"),
        (TOO_BIG, SourceFormatError, "too big"),
        (ERROR, SourceFormatError, "no results"),
        ("", SourceFormatError, "empty"),
        ("a,b,c\n1,2,3\n", SourceFormatError, "header"),
        ('{"a": 1}', SourceFormatError, "JSON-stat"),
        ("DATAFLOW,freq,OBS_VALUE\n", SourceFormatError, "TIME_PERIOD"),
        ("<root><x/></root>", SourceFormatError, "XML"),
    ],
)
def test_answers_that_are_no_data_are_named_for_what_they_are(
    tmp_path: Path, body: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        formats.check_answer(archived(tmp_path, body))


def test_the_formats_themselves_pass_the_check(tmp_path: Path) -> None:
    for body in (TSV, SDMX_1, SDMX_2, json.dumps(JSON_STAT)):
        formats.check_answer(archived(tmp_path, body))


def test_json_cells_outside_the_declared_size_are_refused(tmp_path: Path) -> None:
    wrong = JSON_STAT | {"value": {"24": 1}}
    with pytest.raises(SourceFormatError, match="outside"):
        formats.read(archived(tmp_path, json.dumps(wrong)), "2016", {})


CELL = st.tuples(
    st.one_of(st.none(), st.integers(0, 10**7), st.floats(0, 1e6).map(lambda x: round(x, 2))),
    st.text("bdefnprsuz", max_size=3),
    st.sampled_from(["", "C", "N"]),
)


@given(st.lists(CELL, min_size=1, max_size=20))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, written: list[tuple]) -> None:
    lines = ["geo\\TIME_PERIOD\t2015 "]
    for number, (value, flags, status) in enumerate(written):
        mark = flags + (f"@{status}" if status else "")
        lines.append(f"DE{number}\t{':' if value is None else value} {mark}")
    table = formats.read(archived(tmp_path_factory.mktemp("tsv"), "\n".join(lines) + "\n"), "2015", {})
    for row, (value, flags, status) in zip(table.to_pylist(), written, strict=True):
        assert row["value"] == (None if value is None else float(value))
        assert (row["flags"], row["confidentiality"]) == ("".join(sorted(set(flags))), status)


def test_the_regional_file_of_2015(shared: Path) -> None:
    path = shared / "mirror/ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/SBS_R_NUTS06_R2.tsv.gz"
    file = ArchivedFile("eurostat_sbs", "https://ec.europa.eu/", "data", "tsv", None, "", path.stat().st_size, path)
    table = formats.read(file, "2015", {})
    assert table.num_rows == 46_859
    flags = dict(zip(*[c.to_pylist() for c in table.column("flags").value_counts().flatten()], strict=True))
    assert flags == {"": 46_859 - 386, "d": 386}
    assert table.column("value").null_count == 8_499 + 119
