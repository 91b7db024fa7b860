"""The page's files: what stands in them, and that they depend on the tables alone."""

import base64
import gzip
import hashlib
import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from site_samples import WITHHELD, ZERO, sample, tables_of

from etl.cache import STEP_CODE
from etl.site.build import PAGE, build_site, shown_years
from etl.site.page_grid import CLUSTERS, TRADED
from etl.site.shapes import Boundaries

#: The libraries as their makers publish them: npm packages d3 7.9.0, @observablehq/plot 0.6.17, us-atlas 3.0.1.
VENDORED = {
    "page/vendor/d3.min.js": "f2094bbf6141b359722c4fe454eb6c4b0f0e42cc10cc7af921fc158fceb86539",
    "page/vendor/plot.umd.min.js": "4358086467740777dd788d6b27a95cebdbaefdd50c730a3060117073bd7134cb",
    "boundaries/us_counties.json": "145aaf5d1433352a6a1d8e86b5f149c7c653f9171baf14aaf75ee66575def1b0",
}


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return sample()


@pytest.fixture(scope="module")
def files(tables: dict[str, pa.Table]) -> dict[str, bytes]:
    return build_site(tables_of(tables), Boundaries(), content_id="0123", is_invented=True)


def content(files: dict[str, bytes], name: str) -> Any:
    packed = re.search(rb'","(.*)"\)', files[f"data/{name}.js"])
    assert packed
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def numbers(text: str) -> np.ndarray:
    return np.array([np.nan if part == "" else float(part) for part in text.split(",")])


def place(cells: dict[str, Any], key: str, cluster: int, clusters: tuple[int, ...] = CLUSTERS) -> int:
    return cells["regions"].index(key) * len(clusters) + clusters.index(cluster)


def test_equal_tables_make_equal_bytes(tables: dict[str, pa.Table], files: dict[str, bytes]) -> None:
    rng = np.random.default_rng(1)
    shuffled = {name: table.take(rng.permutation(table.num_rows)) for name, table in tables.items() if name != "source"}
    again = build_site(
        tables_of(shuffled | {"source": tables["source"]}), Boundaries(), content_id="0123", is_invented=True
    )
    assert {name for name in files if files[name] != again.get(name)} == set()
    assert files.keys() == again.keys()


def test_code_of_the_page_is_part_of_a_version() -> None:
    assert "site" in STEP_CODE["site"]


def test_vendored_files_are_as_published() -> None:
    for path, expected in VENDORED.items():
        assert hashlib.sha256((PAGE.parent / path).read_bytes()).hexdigest() == expected, path


def test_nothing_points_to_a_network(files: dict[str, bytes]) -> None:
    own = {name: data for name, data in files.items() if not name.startswith(("vendor/", "data/"))}
    for name, data in own.items():
        assert not re.search(
            rb"https?:|//[a-z]+\.|fetch\(|XMLHttpRequest|import\(|innerHTML|insertAdjacentHTML|eval\(", data
        ), name
    linked = re.findall(rb'(?:src|href)="([^"#][^"]*)"', files["index.html"])
    assert {path.decode() for path in linked if not path.startswith(b"data:")} <= files.keys()


def test_the_warning_stands_in_the_page_itself(tables: dict[str, pa.Table], files: dict[str, bytes]) -> None:
    assert b'id="invented"' in files["index.html"] and b"<title>INVENTED" in files["index.html"]
    real = build_site(tables_of(tables), Boundaries(), content_id="0123", is_invented=False)["index.html"]
    assert b"nvented" not in real.replace(b"#invented", b"")


def test_figures_stand_in_their_places(tables: dict[str, pa.Table], files: dict[str, bytes]) -> None:
    cells = content(files, "cells-2019-M")
    rows = tables["region_cluster"].filter(
        pc.and_(
            pc.equal(tables["region_cluster"]["year"], 2019), pc.equal(tables["region_cluster"]["region_code"], "DE11")
        )
    )
    for row in rows.to_pylist():
        at = place(cells, "nuts2:DE11", row["cluster_code"])
        assert numbers(cells["native"]["employment"])[at] == pytest.approx(row["employment"], abs=0.5)
        assert numbers(cells["native"]["location_quotient"])[at] == pytest.approx(row["location_quotient"], rel=0.01)
        assert cells["native"]["employment_status"][at] == row["employment_status"][0].replace("r", "o")
        assert cells["native"]["grade"][at] == row["grade"]
        stars = [row["star_size"], row["star_specialisation"], row["star_focus"]]
        assert int(cells["native"]["flags"][at], 16) == sum(2**bit for bit, star in enumerate(stars) if star)


def test_common_rule_and_its_coarse_variant_are_kept_apart(
    tables: dict[str, pa.Table], files: dict[str, bytes]
) -> None:
    cells = content(files, "cells-2019-M")
    at = place(cells, "us_economic_area:57045", 7, TRADED)
    for variant in ("full", "coarse"):
        common = tables["region_cluster_common"]
        rows = common.filter(
            (pc.field("variant") == variant)
            & (pc.field("year") == 2019)
            & (pc.field("region_code") == "57045")
            & (pc.field("cluster_code") == 7)
        ).to_pylist()
        assert len(rows) == 1
        assert numbers(cells[variant]["location_quotient"])[at] == pytest.approx(rows[0]["location_quotient"], rel=0.01)
        assert cells[variant]["is_strong"][at] == str(int(rows[0]["is_strong"]))


def test_withheld_is_no_zero_and_zero_is_a_figure(files: dict[str, bytes]) -> None:
    cells = content(files, "cells-2019-L")
    withheld, zero = place(cells, *WITHHELD), place(cells, *ZERO)
    employment = cells["native"]["employment"].split(",")
    assert employment[withheld] == "" and employment[zero] == "0"
    assert cells["native"]["employment_status"][withheld] == "w" and cells["native"]["grade"][withheld] == "."
    reason = cells["native"]["quotient_reason"]
    assert reason["words"][int(reason["codes"].split(",")[withheld])] == "employment is withheld"
    assert reason["codes"].split(",")[zero] == "-1"


def test_what_is_no_place_is_not_shown(tables: dict[str, pa.Table], files: dict[str, bytes]) -> None:
    keys = [key for key, *_ in content(files, "index")["regions"]]
    assert "us_state:99" not in keys and "us_state:26" in keys
    assert len(keys) == len(set(keys))


def test_curves_hold_all_years(tables: dict[str, pa.Table], files: dict[str, bytes]) -> None:
    series = content(files, "series-L")
    assert series["years"] == [2016, 2019]
    at = series["regions"].index("us_state:26") * len(TRADED) + TRADED.index(4)
    rows = tables["region_cluster"].filter(
        (pc.field("region_code") == "26") & (pc.field("cluster_code") == 4) & (pc.field("year") == 2016)
    )
    assert numbers(series["employment"][0])[at] == pytest.approx(rows["employment"][0].as_py(), abs=0.5)
    assert np.isnan(numbers(series["employment"][1])[at])


def test_the_comparison_says_which_source_is_shown(tables: dict[str, pa.Table]) -> None:
    other = tables["region_cluster"].filter(pc.equal(tables["region_cluster"]["region_scheme"], "nuts2"))
    other = other.set_column(0, "source", pa.array(["uk_bres"] * other.num_rows))
    doubled = pc.multiply(other["employment"], 2.0)
    other = other.set_column(other.column_names.index("employment"), "employment", doubled)
    both = tables | {
        "region_cluster": pa.concat_tables([tables["region_cluster"], other], promote_options="permissive")
    }
    preferred = build_site(tables_of(both), Boundaries(), content_id="0", is_invented=False)
    assert set(content(preferred, "cells-2019-M")["sources"]["words"]) == {"census_cbp", "eurostat_sbs"}
    common = both["region_cluster_common"]
    source = pc.if_else(pc.equal(common["region_scheme"], "nuts2"), "uk_bres", common["source"])
    named = both | {"region_cluster_common": common.set_column(common.column_names.index("source"), "source", source)}
    chosen = content(build_site(tables_of(named), Boundaries(), content_id="0", is_invented=False), "cells-2019-M")
    assert set(chosen["sources"]["words"]) == {"census_cbp", "uk_bres"}
    before = content(preferred, "cells-2019-M")
    at = place(chosen, "nuts2:DE11", 9)
    assert numbers(chosen["native"]["employment"])[at] == pytest.approx(
        2 * numbers(before["native"]["employment"])[at], rel=0.01
    )


def test_partners_and_organisations_are_found_by_region(files: dict[str, bytes]) -> None:
    cells = content(files, "cells-2019-M")
    partners = cells["partners"]
    denver = str(cells["regions"].index("us_economic_area:57045"))
    assert partners["region"].split(",").count(denver) == 6
    assert content(files, "cells-2016-M")["partners"] is None
    rows = content(files, "organisations")["rows"]
    assert [row["regions"] for row in rows] == [["us_state:26", "us_economic_area:57047"]] * 2


def test_the_page_opens_with_a_cluster_that_gathers(tables: dict[str, pa.Table]) -> None:
    """Most of cluster 9 works in a specialised region; cluster 30, larger still, is known in one region alone."""
    common = tables["region_cluster_common"].to_pandas()
    common["employment"], common["location_quotient"] = 100.0, 1.0
    one, rare = common["region_code"].isin(["26", "57045"]), common["cluster_code"] == 30
    common.loc[one & (common["cluster_code"] == 9), ["employment", "location_quotient"]] = 900.0, 3.0
    common.loc[rare, ["employment", "location_quotient"]] = 1e6, 5.0
    common.loc[rare & ~one, "location_quotient"] = np.nan

    def start() -> tuple[str, int]:
        table = pa.Table.from_pandas(common, tables["region_cluster_common"].schema, preserve_index=False)
        changed = tables_of({**tables, "region_cluster_common": table})
        found = content(build_site(changed, Boundaries(), content_id="0", is_invented=False), "index")["start"]
        return found["level"], found["cluster"]

    assert start() == ("M", 9)
    common.loc[(common["level"] == "M") & (common["region_code"] < "57030"), "location_quotient"] = np.nan
    assert start() == ("L", 9), "where much of the smaller regions is unknown, the larger ones go first"


def test_years_shown() -> None:
    regions = dict.fromkeys(range(1998, 2024), 230) | dict.fromkeys(range(2008, 2023), 700)
    assert shown_years(range(2008, 2022), regions) == [2018, 2019, 2020, 2021, 2022, 2023]
    assert shown_years([], {2005: 51, 2015: 300, 2016: 51}) == [2005, 2015, 2016]
    assert shown_years([], {}) == []


def test_the_start_is_a_comparison_where_there_is_one(tables: dict[str, pa.Table], files: dict[str, bytes]) -> None:
    start = content(files, "index")["start"]
    assert (start["year"], start["measure"]) == (2019, "quotient")
    alone = tables["region_cluster"].filter(pc.equal(tables["region_cluster"]["source"], "census_cbp"))
    totals = tables["region_total"].filter(pc.equal(tables["region_total"]["source"], "census_cbp"))
    american = {
        **tables,
        "region_cluster": alone,
        "region_total": totals,
        "region_cluster_common": tables["region_cluster_common"].slice(0, 0),
        "region_partner": tables["region_partner"].slice(0, 0),
    }
    one_side = build_site(tables_of(american), Boundaries(), content_id="0", is_invented=False)
    assert content(one_side, "index")["start"] == {
        "level": "M",
        "year": 2019,
        "cluster": 1,
        "measure": "native_quotient",
    }
    assert content(one_side, "cells-2019-M")["full"] is None
    assert content(one_side, "index")["years"]["M"] == [
        {"year": 2016, "sides": ["us"]},
        {"year": 2019, "sides": ["us"]},
    ]


def test_a_version_without_regions_still_makes_a_page(tables: dict[str, pa.Table]) -> None:
    empty = {
        name: table.slice(0, 0) if name.startswith(("region", "cluster_")) else table for name, table in tables.items()
    }
    files = build_site(tables_of(empty), Boundaries(), content_id="0", is_invented=False)
    assert content(files, "index")["start"]["year"] is None and "index.html" in files
