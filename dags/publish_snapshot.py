"""Nightly: measure, check and publish once both sides have delivered."""

from etl.airflow.publishing import publish_dag

dag = publish_dag()
