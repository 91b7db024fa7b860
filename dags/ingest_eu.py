"""Nightly: from the publishers of Europe to clusters."""

from etl.airflow.ingest import ingest_dag

dag = ingest_dag("eu")
