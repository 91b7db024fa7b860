"""Lineage: from publishers' addresses to published tables, as one OpenLineage event a version, made from its manifest.

It goes where Airflow's own lineage goes (`[openlineage] transport`); where that is not set, nowhere.
"""

import logging
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from etl.publish import Manifest

log = logging.getLogger(__name__)
PRODUCER = "urn:clusterbridge"


def lineage_event(manifest: "Manifest", root: str) -> Any:
    """The event of a published version: what was read, with its hash, and what was written, with its columns."""
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset

    from etl.contracts import contracts

    def field(column: Any) -> Any:
        return schema_dataset.SchemaDatasetFacetFields(
            name=column.name, type=column.type, description=column.description
        )

    inputs = []
    for file in manifest.source_files:
        host, path = urlsplit(file.url).netloc, file.url.partition("://")[2].partition("/")[2]
        facets: dict[str, Any] = {
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=file.sha256)
        }
        inputs.append(InputDataset(namespace=f"https://{host}", name=path, facets=facets))
    outputs = []
    for name in manifest.tables:
        described: dict[str, Any] = {
            "schema": schema_dataset.SchemaDatasetFacet(fields=[field(column) for column in contracts()[name].columns]),
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=manifest.version),
        }
        outputs.append(OutputDataset(namespace=_namespace(root), name=f"snapshots/{name}", facets=described))
    return RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(runId=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{root} {manifest.version} {manifest.content_id}"))),
        job=Job(namespace="clusterbridge", name="publish_snapshot"),
        producer=PRODUCER,
        inputs=inputs,
        outputs=outputs,
    )


def tell_lineage(version: str) -> None:
    """Send the event of a version. Where that fails, the log says so and the run goes on."""
    from airflow.providers.openlineage.conf import is_disabled
    from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter

    from etl.airflow.steps import root
    from etl.publish import read_manifest

    if is_disabled():
        return
    storage, _ = root()
    try:
        event = lineage_event(read_manifest(storage, version), storage.root)
        OpenLineageAdapter().get_or_create_openlineage_client().emit(event)
    except Exception:
        log.exception("lineage of version %s could not be told", version)


def _namespace(root: str) -> str:
    return root.rstrip("/") if "://" in root else f"file://{root}"
