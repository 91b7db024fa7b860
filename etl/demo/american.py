"""Writes the invented American figures as the Census Bureau and US Cluster Mapping would publish them."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etl import reference
from etl.demo.truth import SIZE_CLASSES, AmericanTruth, american_truth

RANGES = ((0, "A"), (20, "B"), (100, "C"), (250, "E"), (500, "F"), (1000, "G"), (2500, "H"), (5000, "I"))
MIDPOINTS = {"A": 10, "B": 60, "C": 175, "E": 375, "F": 750, "G": 1750, "H": 3750, "I": 7500, "J": 17500}
SECTOR_OF = {"32": "31", "33": "31", "45": "44", "49": "48"}
OPEN_CLASSES = ("n1000_1", "n1000_2", "n1000_3", "n1000_4")
PORTAL_YEAR = 2016


@dataclass(frozen=True, slots=True)
class DemoCells:
    """Figures of one kind of area at every level of NAICS: `classes[area, code, size class]`."""

    areas: list[str]
    codes: list[str]
    classes: np.ndarray
    employment: np.ndarray
    payroll: np.ndarray


def level_codes(industries: list[str]) -> tuple[list[str], np.ndarray]:
    """All codes above and at the industries, and the matrix that sums industries to codes."""
    prefixes = [["00", SECTOR_OF.get(c[:2], c[:2]), c[:3], c[:4], c[:5], c] for c in industries]
    codes = sorted({code for row in prefixes for code in row})
    matrix = np.zeros((len(industries), len(codes)), np.int64)
    for i, row in enumerate(prefixes):
        matrix[i, [codes.index(code) for code in set(row)]] = 1
    return codes, matrix


def area_cells(truth: AmericanTruth, areas: list[str], names: list[str]) -> DemoCells:
    """Sum counties to areas: `areas[i]` is the area of county i."""
    codes, matrix = level_codes(truth.industries)
    membership = np.array([[area == name for area in areas] for name in names], np.int64)
    classes = np.einsum("ac,cik,ij->ajk", membership, truth.classes, matrix, optimize=True)
    return DemoCells(names, codes, classes, membership @ truth.employment @ matrix, membership @ truth.payroll @ matrix)


def bulk_code(code: str) -> str:
    """NAICS as the bulk files write it: dashes after a sector, strokes after longer codes."""
    if code == "00":
        return "------"
    return code.ljust(6, "-" if len(code) == 2 else "/")


def _flagged(cells: DemoCells, area: int, code: int) -> bool:
    """Whether the publisher withholds the cell: fewer than three establishments, or one plant that dominates."""
    establishments = int(cells.classes[area, code].sum())
    return establishments < 3 or (cells.classes[area, code, 5:].sum() == 1 and establishments < 12)


def bulk_lines(cells: DemoCells, year: int, kind: str) -> Iterator[list[str]]:
    """Lines of a bulk file: header first, then one line a cell with establishments."""
    letters = year <= 2016
    small = "n1_4" if letters else "n<5"
    head = {"us": ["uscode"], "st": ["fipstate"], "co": ["fipstate", "fipscty"]}[kind]
    head += ["naics"] + (["lfo"] if kind != "co" else []) + (["empflag"] if letters else [])
    head += ["emp_nf", "emp", "qp1_nf", "qp1", "ap_nf", "ap", "est", small]
    yield head + [f"n{name}" for name in SIZE_CLASSES[1:]] + list(OPEN_CLASSES)
    for a, area in enumerate(cells.areas):
        place = {"us": ["98"], "st": [area], "co": [area[:2], area[2:]]}[kind]
        for c, code in enumerate(cells.codes):
            establishments = int(cells.classes[a, c].sum())
            if establishments == 0 or (not letters and kind != "us" and establishments < 3 and code != "00"):
                continue
            withheld = letters and kind != "us" and code != "00" and _flagged(cells, a, c)
            jobs, pay = int(cells.employment[a, c]), int(cells.payroll[a, c])
            line = [*place, bulk_code(code)] + (["-"] if kind != "co" else [])
            if withheld:
                letter = next(name for low, name in reversed(RANGES) if jobs >= low)
                line += [letter, "D", "0", "D", "0", "D", "0"]
            else:
                line += ([""] if letters else []) + ["G", str(jobs), "G", str(pay // 4), "G", str(pay)]
            counts = [int(n) for n in cells.classes[a, c]]
            yield (
                line
                + [str(establishments)]
                + [str(n) if letters or n else "N" for n in counts]
                + ([str(counts[8]), "0", "0", "0"] if letters else ["N"] * 4)
            )


def csv_zip(lines: Iterator[list[str]], member: str) -> bytes:
    """The lines as the Census Bureau zips them: text quoted, numbers not; a fixed date, so the bytes never change."""
    text = io.StringIO()
    text.write(",".join(f'"{name}"' for name in next(lines)) + "\n")
    for line in lines:
        codes, figures = line[:3], line[3:]
        cells = [f'"{code}"' for code in codes] + [v if v.isdigit() else f'"{v}"' for v in figures]
        text.write(",".join(cells) + "\n")
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0)), text.getvalue())
    return body.getvalue()


def county_business_patterns(year: int) -> dict[str, bytes]:
    """The year's bulk files by publisher's address."""
    truth = american_truth(year)
    states = sorted({county[:2] for county in truth.counties})
    kinds = {
        "us": area_cells(truth, ["98"] * len(truth.counties), ["98"]),
        "st": area_cells(truth, [county[:2] for county in truth.counties], states),
        "co": area_cells(truth, truth.counties, truth.counties),
    }
    base = f"https://www2.census.gov/programs-surveys/cbp/datasets/{year}/cbp{year % 100:02d}"
    name = f"cbp{year % 100:02d}"
    return {
        f"{base}{kind}.zip": csv_zip(bulk_lines(cells, year, kind), f"{name}{kind}.txt")
        for kind, cells in kinds.items()
    }


def cluster_mapping() -> dict[str, bytes]:
    """The portal's definitions, its regions and its rows for states, with its own mid-points for withheld cells."""
    names = dict(zip(*reference.clusters().select(["cluster_code", "cluster_name"]).to_pydict().values(), strict=True))
    base = "https://clustermapping.us/data"
    query = "limit=10000&sort=id ASC&start=0"
    states = {code[:2] for code in reference.counties(2020)} - {"11"}
    return {
        f"{base}/meta/clusters": json.dumps([_definition(c, n) for c, n in names.items() if c > 0]).encode(),
        f"{base}/region": json.dumps([_region(s) for s in sorted(states)]).encode(),
        f"{base}/region/state/all/{PORTAL_YEAR}/all?{query}": json.dumps(_rows(names, sorted(states))).encode(),
    }


def _definition(code: int, name: str) -> dict[str, object]:
    lists = {
        f"naics_{vintage}": {c: c for c, cluster in sorted(reference.naics_cluster(vintage).items()) if cluster == code}
        for vintage in (1997, 2002, 2007, 2012)
    }
    return {"id": f"clusterData/{code}", "type_t": "clusterData", "name_t": name, "cluster_code_t": str(code)} | {
        "traded_b": code <= 51,
        "subcluster_b": False,
        "sub_clusters": {},
        **lists,
    }


def _region(state: str) -> dict[str, str]:
    name = reference.states()[state]
    return {"id": f"region/state/{state}", "region_code_t": state, "region_type_t": "state", "name_t": name} | {
        "region_short_name_t": name,
        "key_t": name.lower().replace(" ", "_"),
    }


def _rows(names: dict[int, str], states: list[str]) -> list[dict[str, object]]:
    truth = american_truth(PORTAL_YEAR)
    lookup = reference.naics_cluster(2012)
    clusters = [code for code in names if code > 0]
    cells = area_cells(truth, [county[:2] for county in truth.counties], states)
    nation = area_cells(truth, ["98"] * len(truth.counties), ["98"])
    leaves = [i for i, code in enumerate(cells.codes) if len(code) == 6]
    member = np.array([[lookup[cells.codes[i]] == c for c in clusters] for i in leaves], np.int64)
    shown = np.array([[_shown(cells, a, i) for i in leaves] for a in range(len(states))])
    filled, reported, payroll = shown[:, :, 0] @ member, shown[:, :, 1] @ member, shown[:, :, 2] @ member
    establishments = cells.classes[:, leaves].sum(axis=2) @ member
    national = (nation.employment[:, leaves] @ member)[0]
    kind = np.array([code <= 51 for code in clusters])
    of_class = np.where(kind, (filled * kind).sum(axis=1)[:, None], (filled * ~kind).sum(axis=1)[:, None])
    national_class = np.where(kind, (national * kind).sum(), (national * ~kind).sum())
    rows = []
    for a, state in enumerate(states):
        for c, code in enumerate(clusters):
            share = filled[a, c] / of_class[a, c]
            rows.append(
                {
                    "id": f"cluster/state/{state}/{code}/{PORTAL_YEAR}",
                    "type_t": "cluster",
                    "cluster_code_t": str(code),
                    "cluster_name_t": names[code],
                    "year_t": str(PORTAL_YEAR),
                    "region_type_t": "state",
                    "region_code_t": state,
                    "region_name_t": reference.states()[state],
                    "traded_b": code <= 51,
                    "emp_tl": int(filled[a, c]),
                    "emp_reported_tl": int(reported[a, c]),
                    "est_tl": int(establishments[a, c]),
                    "ap_tl": int(payroll[a, c]),
                    "private_wage_tf": payroll[a, c] * 1000 / reported[a, c] if reported[a, c] else 0.0,
                    "lq_tf": share / (national[c] / national_class[c]),
                    "region_emp_per_tf": share,
                    "cluster_emp_per_tf": filled[a, c] / national[c],
                    "timestamp": "2018-10-01T03:23:00.952Z",
                }
            )
    return sorted(rows, key=lambda row: str(row["id"]))


def _shown(cells: DemoCells, area: int, code: int) -> tuple[int, int, int]:
    """Employment as the portal fills it, the part of it that was reported, and payroll, which it does not fill."""
    jobs = int(cells.employment[area, code])
    if cells.classes[area, code].sum() and _flagged(cells, area, code):
        return MIDPOINTS[next(name for low, name in reversed(RANGES) if jobs >= low)], 0, 0
    return jobs, jobs, int(cells.payroll[area, code])
