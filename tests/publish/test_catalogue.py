"""The documents beside the tables are valid and say what they must."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import frictionless
import pytest
from snapshot_samples import draft

from etl.contracts import contracts
from etl.publish import publish
from etl.publish.catalogue import attribution, data_package, dcat_record
from etl.storage import Storage


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("catalogue")
    return root / "snapshots" / publish(Storage(root), draft("2026-01-01")).version


def test_the_data_package_is_valid_with_frictionless(snapshot: Path) -> None:
    report = frictionless.Package.validate_descriptor(str(snapshot / "datapackage.json"))
    assert report.valid, report.errors


def test_tables_are_valid_against_the_data_package(snapshot: Path) -> None:
    package = json.loads((snapshot / "datapackage.json").read_text())
    wanted = {"cluster", "source", "coverage", "region-total", "industry-cluster", "revision"}
    package["resources"] = [resource for resource in package["resources"] if resource["name"] in wanted]
    (snapshot / "few.json").write_text(json.dumps(package))
    report = frictionless.validate(str(snapshot / "few.json"), type="package")
    assert report.valid, report.flatten(["name", "message"])[:5]
    assert len(report.tasks) == len(wanted)
    several = next(resource for resource in package["resources"] if resource["name"] == "region-total")
    assert several["path"] == [f"region_total/region_total-{year}.parquet" for year in (2016, 2017)]


def test_the_data_package_describes_every_column(snapshot: Path) -> None:
    package = json.loads((snapshot / "datapackage.json").read_text())
    by_name = {resource["name"]: resource for resource in package["resources"]}
    for contract in contracts().values():
        resource = by_name[contract.name.replace("_", "-")]
        assert [field["name"] for field in resource["schema"]["fields"]] == contract.column_names
        assert resource["schema"]["primaryKey"] == list(contract.key)
        assert all(field["description"] for field in resource["schema"]["fields"])
    status = next(f for f in by_name["region-cluster"]["schema"]["fields"] if f["name"] == "employment_status")
    assert "withheld" in status["constraints"]["enum"]


def test_the_dcat_record_names_every_file_with_its_checksum(snapshot: Path) -> None:
    record = json.loads((snapshot / "catalogue.jsonld").read_text())
    assert record["@type"] == "dcat:Dataset"
    assert record["dct:title"]["@value"] and record["dct:description"]["@value"]
    assert record["dct:temporal"]["dcat:startDate"]["@value"] == "2016-01-01"
    manifest = json.loads((snapshot / "manifest.json").read_text())
    told = {
        item["dcat:accessURL"]["@id"]: item["spdx:checksum"]["spdx:checksumValue"]
        for item in record["dcat:distribution"]
    }
    assert told == {path: entry["sha256"] for path, entry in manifest["files"].items() if path.endswith(".parquet")}
    previous = dcat_record(replace(draft("2026-01-02"), previous="2026-01-01"), {}, "2026-01-02")
    assert previous["dcat:previousVersion"] == {"@id": "../2026-01-01/"}
    prefixes = {key.split(":")[0] for key in record if ":" in key}
    assert prefixes <= set(record["@context"])


def test_the_attribution_names_every_source_and_whose_the_clusters_are(snapshot: Path) -> None:
    text = (snapshot / "ATTRIBUTION.txt").read_text()
    assert "Delgado" in text and "Porter" in text and "Stern" in text and "Harvard" in text
    for row in draft("2026-01-01").sources:
        assert row["attribution"] in text
        assert row["licence"] in text
    assert "invented" not in text


def test_invented_figures_are_marked_everywhere() -> None:
    invented = draft("2026-01-01", is_invented=True)
    parts = invented.complete_parts()
    assert "must never be quoted" in attribution(invented)
    assert "must never be quoted" in data_package(invented, parts, "2026-01-01")["description"]
    assert "must never be quoted" in dcat_record(invented, parts, "2026-01-01")["dct:description"]["@value"]


def test_documents_do_not_depend_on_the_hour() -> None:
    one, two = (dcat_record(draft("2026-01-01"), draft("2026-01-01").complete_parts(), "2026-01-01") for _ in range(2))
    assert one == two
    assert one["dct:issued"]["@value"] == date(2026, 1, 1).isoformat()
