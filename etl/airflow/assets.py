"""The assets that tie the DAGs together. They stand in a module of their own: a DAG file never imports another."""

from airflow.sdk import Asset

RAW = {
    "us": Asset("clusterbridge_us", uri="clusterbridge://archive/us", group="clusterbridge"),
    "eu": Asset("clusterbridge_eu", uri="clusterbridge://archive/eu", group="clusterbridge"),
}
SNAPSHOT = Asset("clusterbridge_snapshot", uri="clusterbridge://snapshots", group="clusterbridge")
