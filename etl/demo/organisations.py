"""An invented list of cluster organisations, with decisions about some of them, and the settings that describe them."""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LIST = "https://organisations.example/cluster-organisations.csv"
DECISIONS = "https://organisations.example/decisions.csv"

HEADER = ("ID", "Name", "Country", "Region", "Codes", "Fields", "Description")
#: Columns of the list under the names of `etl.sources.cluster_organisations`.
COLUMNS = dict(
    zip(
        (
            "organisation_id",
            "organisation_name",
            "country_code",
            "region_code",
            "industry_codes",
            "sectors",
            "description",
        ),
        HEADER,
        strict=True,
    )
)
#: None of these exists. Some give codes, some fields of work, some a description, some their name alone.
ORGANISATIONS = (
    ("A01", "Harbor Lights Aerospace Network", "US", "53", "336411|336413", "", ""),
    ("A02", "Prairie Wings Forum", "US", "KS", "", "aircraft; composites", ""),
    ("A03", "Two Rivers Automotive Council", "US", "26", "", "", ""),
    ("A04", "Blue Ridge Furniture and Home Alliance", "US", "37", "", "", ""),
    ("A05", "Granite State Precision Makers", "US", "33", "", "", "Machine shops that mill and plate metal."),
    ("A06", "Sunrise Life Sciences Hub", "US", "25", "", "", ""),
    ("A07", "Bayou Energy Partnership", "US", "22", "", "oil and gas; offshore", ""),
    ("A08", "Golden Valley Growers and Vintners", "US", "06", "", "", "Wineries and fruit growers."),
    ("A09", "Lone Star Logistics Club", "US", "48", "", "", ""),
    ("A10", "Maple Leaf Paper Council", "US", "55", "", "", ""),
    ("A11", "Silver State Visitors Board", "US", "NV", "", "tourism; conventions", ""),
    ("A12", "Great Lakes Water Forum", "US", "55", "", "", "Pumps, meters and treatment for drinking water."),
    ("A13", "Open Horizon", "US", "08", "", "", ""),
    ("E01", "Neckar Automobil Cluster", "DE", "DE11", "29.10;29.32", "", ""),
    ("E02", "Garonne Aéro Réseau", "FR", "FRJ2", "30.30", "", ""),
    ("E03", "Distretto Calzature Adriatico", "IT", "ITI3", "", "", ""),
    ("E04", "Minho Têxtil", "PT", "PT11", "", "textiles; apparel", ""),
    ("E05", "Mazury Furniture Makers", "PL", "PL62", "31.01", "", ""),
    ("E06", "Øresund Pharma Network", "DK", "DK01", "", "", ""),
    ("E07", "Fjord Offshore Forum", "NO", "NO0A", "", "", ""),
    ("E08", "Polder Food Technology", "NL", "NL22", "", "", "Dairy, bakery ingredients and new proteins."),
    ("E09", "Baltic Wood Link", "LV", "LV00", "16.10;16.23", "", ""),
    ("E10", "Emilia Ceramica", "IT", "ITH5", "", "", ""),
    ("E11", "Thames Finance Forum", "UK", "UKI3", "", "", ""),
    ("E12", "Halle Kunststoff Netz", "DE", "DEE0", "", "", ""),
    ("E13", "Costa Pesca", "ES", "ES11", "", "", ""),
    ("E14", "Werkstatt Morgen", "AT", "AT22", "", "", ""),
)  # fmt: skip
#: What people decided where the texts say too little, or too much.
DECIDED = (("E14", "40", "members are makers of machinery"), ("A12", "9", "water systems, not instruments"))


def organisation_files() -> dict[str, bytes]:
    """The list and the decisions by their addresses."""
    decisions = [("organisation_id", "cluster_code", "reason"), *DECIDED]
    return {LIST: _csv([HEADER, *ORGANISATIONS]), DECISIONS: _csv(decisions)}


@contextmanager
def organisations_configured(folder: Path) -> Iterator[None]:
    """Let the settings name the invented list for the time of the block; `folder` keeps its description."""
    description = folder / "organisations.json"
    description.write_text(json.dumps({"address": LIST, "columns": COLUMNS}), encoding="utf-8")
    names = {
        "CLUSTERBRIDGE_CLUSTER_ORGANISATIONS": str(description),
        "CLUSTERBRIDGE_ORGANISATION_DECISIONS": DECISIONS,
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
