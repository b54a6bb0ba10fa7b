"""The component that turns a declaration into Dagster definitions."""

import os

import dagster as dg
from pydantic import BaseModel

from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.sensor import build_alert_sensor, build_schedule, build_sensor
from ingest_assets.settings import SENSORS_ON_VARIABLE


class S3ToIceberg(dg.Component):
    """Files under a prefix become rows of an Iceberg table: an asset, its checks and its trigger.

    The attributes are the declaration, `ingest_assets.ingestion.Ingestion`.
    """

    def __init__(self, ingestion: Ingestion) -> None:
        self.ingestion = ingestion

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The declaration's model, with which Dagster's own tools validate the YAML."""
        return Ingestion

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "S3ToIceberg":
        """The component of validated attributes."""
        assert isinstance(attributes, Ingestion)
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The asset with its checks, and the sensor or schedule."""
        return self.definitions()

    def definitions(self) -> dg.Definitions:
        """As `build_defs`, for callers that have no component tree."""
        is_on = os.environ.get(SENSORS_ON_VARIABLE) == "1"
        schedule = build_schedule(self.ingestion, is_on=is_on)
        if schedule is not None:
            alert_sensor = build_alert_sensor(self.ingestion)
            return dg.Definitions(
                assets=[build_asset(self.ingestion)],
                schedules=[schedule],
                sensors=[alert_sensor] if alert_sensor is not None else [],
            )
        sensor = build_sensor(self.ingestion, is_on=is_on)
        return dg.Definitions(assets=[build_asset(self.ingestion)], sensors=[sensor])
