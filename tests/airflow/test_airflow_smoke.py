"""The DAG of a backfill run by Airflow itself, in this process, on a database of its own."""

import logging

import pytest

from etl.publish import newest_manifest
from etl.storage import Storage


@pytest.fixture(scope="module")
def database() -> None:
    from airflow.utils.db import initdb

    initdb()


def test_a_backfill_of_years_fetches_builds_and_publishes(
    database: None, data_root: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import pyarrow as pa

    from etl.airflow.backfill import backfill_dag
    from etl.validate import GateReport
    from etl.validate.report import FAILING_SCHEMA

    def validate(tables: dict[str, pa.Table], **_: object) -> GateReport:
        return GateReport((), 0, FAILING_SCHEMA.empty_table())

    monkeypatch.setattr("etl.run.checked_publishing.validate", validate)
    conf = {"first": 2019, "last": 2019, "datasets": ["census_cbp"], "fetch": "publishers"}
    with caplog.at_level(logging.INFO, "etl.airflow"):
        run = backfill_dag().test(run_conf=conf)
    states = {instance.task_id: instance.state for instance in run.get_task_instances()}
    assert run.state == "success"
    assert states.pop("approve") == "skipped"
    assert set(states.values()) == {"success"}
    manifest = newest_manifest(Storage(data_root))
    assert manifest is not None
    assert {(file.dataset, file.year) for file in manifest.source_files} == {("census_cbp", 2019)}
