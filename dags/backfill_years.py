"""On demand: build a range of years and publish."""

from etl.airflow.backfill import backfill_dag

dag = backfill_dag()
