"""One ingestion whose files are found by the events of its bucket, worked in this process."""

from datetime import timedelta
from typing import Any

import dagster as dg
from sqlalchemy import text

from ingest_assets.engine.arrivals import Arrivals, find_files
from ingest_assets.orchestration.one_pass import PassResult
from ingest_assets.orchestration.tick import LISTING_TIME, Tick, run_tick
from ingest_assets_tests.aws_server import AwsServer
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop


class Landing:
    """The ingestion `orders` of a workshop, with a queue of its own."""

    def __init__(self, workshop: Workshop, aws: AwsServer) -> None:
        self.workshop = workshop
        self.aws = aws
        self.bucket = workshop.bucket
        self.queue_url = aws.make_queue()
        self.source: dict[str, Any] = {
            "discovery": {"mode": "notifications", "queue_url": self.queue_url}
        }

    def put(self, key: str, order_id: int = 1) -> None:
        """A file with one order."""
        self.workshop.put(key, json_lines(orders(order_id, 1)))

    def remove(self, key: str) -> None:
        """The object is gone."""
        self.aws.client("s3").delete_object(Bucket=self.bucket, Key=f"orders/{key}")

    def ingest(self) -> PassResult:
        """One pass, as `ingest-assets run` makes it."""
        return self.workshop.ingest(source=self.source)

    def find(self, time_limit: timedelta | None = LISTING_TIME) -> Arrivals:
        """What a sensor's tick finds, and nothing planned."""
        ingestion = self.workshop.ingestion(source=self.source)
        identifier = ingestion.table.identifier
        self.workshop.deployment.ledger.register(ingestion.name, identifier)
        return find_files(self.workshop.deployment, ingestion, time_limit)

    def tick(self) -> Tick:
        """One tick, as the sensor makes it."""
        ingestion = self.workshop.ingestion(source=self.source)
        instance: dg.DagsterInstance = self.workshop.instance
        return run_tick(self.workshop.deployment, ingestion, instance, "sensor")

    def send(self, *bodies: str) -> None:
        """The messages are in the queue."""
        self.aws.send(self.queue_url, *bodies)

    def counts(self) -> dict[str, int]:
        """What the ledger counted, by kind."""
        rows = self.ask("SELECT kind, count FROM ingest.notification_counts")
        return {row.kind: row.count for row in rows}

    def odd(self) -> list[tuple[str, str, int]]:
        """The kind, body and count of the messages that the ledger kept."""
        rows = self.ask("SELECT kind, body, count FROM ingest.odd_messages ORDER BY kind, body")
        return [(row.kind, row.body, row.count) for row in rows]

    def ask(self, statement: str) -> list[Any]:
        """The rows of a query to the ledger."""
        with self.workshop.deployment.ledger.transaction() as connection:
            return list(connection.execute(text(statement)).all())

    def change(self, statement: str) -> None:
        """The ledger is changed by hand."""
        with self.workshop.deployment.ledger.transaction() as connection:
            connection.execute(text(statement))
