"""An ingestion whose files are finished, on S3 or in a local folder, and where its objects are."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from ingest_assets.orchestration.upkeep import keep_up
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

LIMIT = timedelta(seconds=60)


class Landing:
    """A source and an archive beside it, as keys and bytes, whatever holds them."""

    def __init__(self, workshop: Workshop, folder: Path | None = None) -> None:
        self.workshop = workshop
        self._folder = folder
        self._client = workshop.s3.client
        root = f"file://{folder}" if folder else f"s3://{workshop.bucket}"
        self.uri, self.archive_uri = f"{root}/orders/", f"{root}/done/"

    def declared(self, action: str = "delete", **rules: Any) -> dict[str, Any]:
        """The changes of a declaration that finishes files so."""
        if action == "move":
            rules = {"to": self.archive_uri, **rules}
        return {"source": {"uri": self.uri, "after_success": {"action": action, **rules}}}

    def put(self, key: str, body: bytes | None = None, place: str = "orders") -> None:
        """The object is in the source, or another place."""
        body = json_lines(orders(1)) if body is None else body
        if self._folder is None:
            bucket = self.workshop.bucket
            self._client.put_object(Bucket=bucket, Key=f"{place}/{key}", Body=body)
        else:
            path = self._folder / place / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    def remove(self, key: str, place: str = "orders") -> None:
        """The object is gone."""
        if self._folder is None:
            self._client.delete_object(Bucket=self.workshop.bucket, Key=f"{place}/{key}")
        else:
            (self._folder / place / key).unlink()

    def objects(self) -> Mapping[str, bytes]:
        """Everything in the source and the archive."""
        if self._folder is not None:
            files = [path for path in self._folder.rglob("*") if path.is_file()]
            return {path.relative_to(self._folder).as_posix(): path.read_bytes() for path in files}
        client, bucket = self._client, self.workshop.bucket
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            item["Key"]: client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            for item in listed
        }

    @property
    def keys(self) -> set[str]:
        """The keys of everything in the source and the archive."""
        return set(self.objects())


def upkeep(workshop: Workshop, **changes: Any) -> list[str]:
    """What the upkeep did, in its words."""
    return keep_up(workshop.deployment, workshop.ingestion(**changes), workshop.instance, LIMIT)


def let_waits_run_out(workshop: Workshop) -> None:
    """As if an hour had passed in which nothing was finished."""
    execute(
        workshop,
        "UPDATE ingest.files SET source_retry_at = now() - interval '1 second' "
        "WHERE source_retry_at IS NOT NULL",
    )
    execute(workshop, "UPDATE ingest.ingestions SET source_retry_at = NULL")


def execute(workshop: Workshop, statement: str) -> None:
    """The ledger is as the statement makes it."""
    with workshop.deployment.ledger.transaction() as connection:
        connection.execute(text(statement))


def states(workshop: Workshop, name: str = "orders") -> dict[str, str | None]:
    """What was done with each file's object."""
    return {key: row.source_state for key, row in workshop.files(name).items()}
