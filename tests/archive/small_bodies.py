"""One small answer of each dataset: real ones where they lie beside the checkout, else written here in its layout."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from etl.sources import DATASETS
from etl.sources.base import Request

API_HEADER = ["GEO_ID", "NAME", "YEAR", "NAICS2017", "NAICS2017_LABEL", "ESTAB", "EMP", "PAYANN", "state"]
API_ROWS = [["00", "80", "1200", "60000"], ["31-33", "50", "700", "40000"], ["99", "30", "500", "20000"]]
QCEW = """area_fips,own_code,industry_code,size_code,year,disclosure_code,annual_avg_estabs,annual_avg_emplvl,\
total_annual_wages
41000,5,10,0,2019,,1000,20000,900000000
41000,5,23,0,2019,,300,6000,300000000
41000,5,31-33,0,2019,N,9,0,0
"""
BRES = """DATE_NAME,GEOGRAPHY_NAME,GEOGRAPHY_CODE,INDUSTRY_NAME,OBS_VALUE,RECORD_COUNT
2021,Tees Valley,UKC1,10110 : Processing and preserving of meat,450,3
2021,Tees Valley,UKC1,20301 : Manufacture of paints,225,3
2021,Tees Valley,UKC1,20302 : Manufacture of printing ink,15,3
"""
URSSAF = """region;ape;code_departement;code_commune;code_ape;nombre_d_etablissements_2021;effectifs_salaries_2021
Normandie;4399A Étanchéification;76;76005;4399A;4;30
Normandie;5610A Restaurants;27;27001;5610A;2;9
"""
TABLE = """freq,nace_r2,size_emp,{indicator},geo\\TIME_PERIOD\t{year}
A,C10,TOTAL,{code},DE\t900
A,C11,TOTAL,{code},DE\t:c
A,C10,TOTAL,{code},FR\t800 b
"""
CONTENTS = """<?xml version="1.0" encoding="UTF-8"?>
<nt:tree xmlns:nt="urn:eu.europa.ec.eurostat.navtree"><nt:leaf type="dataset"><nt:code>sbs_r_nuts06_r2</nt:code>
<nt:lastUpdate>05.08.2024</nt:lastUpdate></nt:leaf></nt:tree>
"""


def _table(indicator: str, code: str, year: int) -> bytes:
    return TABLE.format(indicator=indicator, code=code, year=year).encode()


def _written() -> Iterator[tuple[Request, bytes]]:
    def of(dataset: str, part: str) -> Request:
        found = DATASETS[dataset].requests(DATASETS[dataset].years)
        return next(request for request in found if part in request.url)

    rows = [["0400000US41", "Oregon", "2019", code, "A label", *figures, "41"] for code, *figures in API_ROWS]
    yield (
        of("census_cbp_api", "/2019/cbp?get=GEO_ID,NAME,YEAR,NAICS2017,NAICS2017_LABEL,ESTAB,EMP,PAYANN&for=state:41"),
        (json.dumps([API_HEADER, *rows]).encode()),
    )
    yield of("bls_qcew", "/2019/a/area/41000.csv"), QCEW.encode()
    yield of("uk_bres", "date=2021"), BRES.encode()
    yield of("fr_urssaf", "where="), URSSAF.encode()
    yield of("eurostat_sbs_ebs", ""), _table("indic_sbs", "EMP_LOC_NR", 2021)
    yield of("eurostat_sbs_national", "SBS_NA_IND"), _table("indic_sb", "V16110", 2015)
    yield of("eurostat_sbs_ovw", ""), _table("indic_sbs", "EMP_NR", 2021)
    yield of("eurostat_toc", ""), CONTENTS.encode()


REAL = {
    "census_cbp": ("cbp19us.zip", "cbp05us.txt"),
    "us_cluster_mapping": ("meta/clusters", "economic/all/2016"),
    "cbsa_delineation": ("list1_2020.xls",),
    "naics_concordances": ("2017_to_2012",),
    "nuts_changes": ("NUTS2021-NUTS2024",),
    "nuts_boundaries": ("NUTS_RG_20M",),
    "eurostat_sbs": ("SBS_R_NUTS06",),
}
"""Addresses whose answers are taken from the real ones, by a part of the address."""


def small_bodies(shared: Path) -> dict[Request, bytes]:
    """Answers by their requests, as the publisher means them: unpacked where only the transfer packs them."""
    with (shared / "mirror" / "index.csv").open(encoding="utf-8", newline="") as stream:
        index = {row["url"]: row for row in csv.DictReader(stream)}
    found = dict(_written())
    for name, parts in REAL.items():
        for request in DATASETS[name].requests(DATASETS[name].years):
            if request.url in index and any(part in request.url for part in parts):
                body = (shared / "mirror" / index[request.url]["path"]).read_bytes()
                found[request] = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    return found
