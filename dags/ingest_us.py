"""Nightly: from the publishers of the United States to clusters."""

from etl.airflow.ingest import ingest_dag

dag = ingest_dag("us")
