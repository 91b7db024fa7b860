"""Daily: tell people when the night's snapshot is not there."""

from etl.airflow.deadline import deadline_dag

dag = deadline_dag()
