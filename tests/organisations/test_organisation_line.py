"""From the configured list to the tables of a snapshot: fetched, archived, placed, its regions known."""

import io
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.archive import known
from etl.demo import organisations_configured
from etl.demo.organisations import DECISIONS, LIST, organisation_files
from etl.mirror import serve
from etl.publish import part_path
from etl.run.collect import Collected, collect
from etl.run.refresh import RefreshRequest, content_of, fetch_datasets
from etl.settings import Settings
from etl.storage import Storage

DAY = date(2026, 6, 20)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose archive holds the demo's list and decisions."""
    folder = tmp_path_factory.mktemp("organisations")
    mirror, data = folder / "mirror", folder / "data"
    mirror.mkdir()
    lines = ["url,path,content_type,gzipped,bytes,sha256,origin,note"]
    for url, body in organisation_files().items():
        name = url.rsplit("/", 1)[1]
        (mirror / name).write_bytes(body)
        lines.append(f"{url},{name},text/csv,0,{len(body)},,invented,")
    (mirror / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with serve(mirror) as address, organisations_configured(folder):
        asked = RefreshRequest(DAY, ("cluster_organisations",), None, address)
        fetch_datasets(Storage(data), asked, Settings(data=str(data)), _Silent())
    return data


class _Silent:
    def stage(self, name: str, total: int) -> None: ...

    def advance(self, count: int = 1) -> None: ...


def assembled(root: Path) -> Collected:
    storage = Storage(root)
    return collect(storage, list(known(storage, DAY).values()), [], [], is_invented=True)


def table(root: Path, made: Collected, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(Storage(root).read_bytes(str(made.parts[part_path(name)].source))))


def test_a_configured_list_becomes_a_table_and_its_regions_are_known(root: Path, tmp_path: Path) -> None:
    assert {file.url for file in known(Storage(root), DAY).values()} == {LIST, DECISIONS}
    with organisations_configured(tmp_path):
        made = assembled(root)
    rows = table(root, made, "cluster_organisation").to_pylist()
    assert {row["organisation_id"] for row in rows} >= {"A01", "E14"}
    assert {row["cluster_code"] for row in rows if row["organisation_id"] == "E14"} == {40}
    regions = table(root, made, "region").select(["region_scheme", "region_code", "region_vintage"]).to_pylist()
    placed = {(row["region_scheme"], row["region_code"], row["region_vintage"]) for row in rows}
    described = {tuple(row.values()) for row in regions}
    assert placed <= described
    assert {scheme for scheme, _, _ in described - placed} <= {"nuts0", "nuts1", "us_nation"}, "only what is above them"


def test_without_the_setting_the_table_is_left_out(root: Path) -> None:
    assert part_path("cluster_organisation") not in assembled(root).parts


def test_another_description_is_another_content(root: Path, tmp_path: Path) -> None:
    files = list(known(Storage(root), DAY).values())

    def content() -> str:
        return content_of(files, Settings(), is_invented=True)

    without = content()
    with organisations_configured(tmp_path):
        one = content()
        description = tmp_path / "organisations.json"
        description.write_text(description.read_text("utf-8").replace('"Fields"', '"Description"'), encoding="utf-8")
        assert len({without, one, content()}) == 3
