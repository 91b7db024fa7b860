"""The line under Airflow: what each task does (steps), and the DAGs made of them. Needs the extra `airflow`."""
