"""floe runs a pipeline: one entity, its contract of columns, and a table without a catalog.

floe wants every column declared, and has no struct: workload A's address becomes two columns. As
`datetime` it takes `2026-01-01T00:00:00` alone, and rejects each row of workload B, whose moments
have a space (0.7.0): there they stay strings.
"""

import json
import os

import floe

from benchmarks.peer.job import Job

_COLUMNS = {
    "json": {
        "event_id": "string",
        "customer_id": "int64",
        "created_at": "datetime",
        "status": "string",
        "amount": "float64",
        "quantity": "int64",
        "currency": "string",
        "is_gift": "boolean",
        "note": "string",
        "channel": "string",
        "discount": "float64",
        "address.city": "string",
        "address.zip": "string",
    },
    "csv": {
        "id": "int64",
        "customer": "string",
        "created_at": "string",
        "status": "string",
        "amount": "float64",
        "quantity": "int64",
        "city": "string",
        "comment": "string",
    },
    "parquet": {
        "id": "int64",
        "user": "int64",
        "value": "float64",
        "kind": "string",
        "at": "datetime",
        "token": "string",
    },
}
_OPTIONS = {"json": {"json_mode": "ndjson"}, "csv": {"separator": ","}, "parquet": {}}


def pipeline(job: Job) -> dict[str, object]:
    """The configuration; JSON is YAML."""
    columns = [
        {"name": source.replace(".", "_"), "source": source, "type": kind}
        for source, kind in _COLUMNS[job.format].items()
    ]
    entity = {
        "name": "bench",
        "source": {
            "format": job.format,
            "path": job.uri,
            "storage": "landing",
            "options": _OPTIONS[job.format],
        },
        "sink": {
            "write_mode": "append",
            "accepted": {"format": "iceberg", "path": str(job.warehouse), "storage": "disk"},
            "rejected": {"format": "csv", "path": str(job.folder / "rejected"), "storage": "disk"},
        },
        "policy": {"severity": "reject"},
        "schema": {"columns": columns},
    }
    landing = {"name": "landing", "type": "s3", "bucket": job.bucket}
    landing["region"] = os.environ["AWS_REGION"]
    return {
        "version": "0.3",
        "report": {"path": str(job.folder / "report"), "storage": "disk"},
        "storages": {
            "default": "disk",
            "definitions": [{"name": "disk", "type": "local"}, landing],
        },
        "entities": [entity],
    }


def main() -> None:
    job = Job.of_command_line()
    config = job.folder / "pipeline.yml"
    config.write_text(json.dumps(pipeline(job)))
    floe.run(str(config))


if __name__ == "__main__":
    main()
