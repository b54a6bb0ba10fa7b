"""The trigger of an ingestion: a sensor at its interval, or a schedule; both do one tick."""

from collections.abc import Sequence

import dagster as dg

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.ingestion import Ingestion
from ingest_assets.logs import about
from ingest_assets.orchestration.alerting import alerting
from ingest_assets.orchestration.names import asset_key, trigger_name
from ingest_assets.orchestration.tick import run_tick


def build_sensor(
    ingestion: Ingestion,
    deployment: DeploymentSource = Deployment.from_env,
    *,
    is_on: bool = False,
) -> dg.SensorDefinition:
    """Looks for new files every `discovery.interval_seconds` while it is on; off is paused."""

    @dg.sensor(
        name=trigger_name(ingestion),
        description=(
            f"Finds files under {ingestion.source.uri} and asks for runs that ingest them. "
            "Turning it off pauses the ingestion; nothing is lost meanwhile."
        ),
        asset_selection=dg.AssetSelection.assets(asset_key(ingestion)),
        minimum_interval_seconds=ingestion.source.discovery.interval_seconds,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED
        ),
    )
    def find_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        services = deployment()
        with about(ingestion=ingestion.name), alerting(services, ingestion, context.instance):
            tick = run_tick(services, ingestion, context.instance, "sensor")
        if tick.run_requests:  # otherwise the tick shows it; each tick that logs leaves a file
            context.log.info(tick.summary())
        return dg.SensorResult(
            run_requests=list(tick.run_requests),
            skip_reason=None if tick.run_requests else dg.SkipReason(tick.summary()),
        )

    return find_files


def build_schedule(
    ingestion: Ingestion,
    deployment: DeploymentSource = Deployment.from_env,
    *,
    is_on: bool = False,
) -> dg.ScheduleDefinition | None:
    """The cron trigger of the declaration; None when it declares none."""
    if ingestion.schedule is None:
        return None

    @dg.schedule(
        name=trigger_name(ingestion),
        description=f"Finds files under {ingestion.source.uri} and ingests them.",
        cron_schedule=ingestion.schedule.cron,
        execution_timezone=ingestion.schedule.timezone,
        target=dg.AssetSelection.assets(asset_key(ingestion)),
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED
        ),
    )
    def find_files(
        context: dg.ScheduleEvaluationContext,
    ) -> Sequence[dg.RunRequest] | dg.SkipReason:
        services = deployment()
        with about(ingestion=ingestion.name), alerting(services, ingestion, context.instance):
            tick = run_tick(services, ingestion, context.instance, "schedule")
        context.log.info(tick.summary())
        return list(tick.run_requests) or dg.SkipReason(tick.summary())

    return find_files


def build_alert_sensor(
    ingestion: Ingestion, deployment: DeploymentSource = Deployment.from_env
) -> dg.SensorDefinition | None:
    """Sends the alerts of an ingestion whose cron may not come round for a day; None for others."""
    if ingestion.schedule is None or not ingestion.alerts:
        return None

    @dg.sensor(
        name=f"{ingestion.name}_alerts",
        description=f"Tells {', '.join(ingestion.alerts)} what happened to {ingestion.name}.",
        asset_selection=dg.AssetSelection.assets(asset_key(ingestion)),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def send_alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        with alerting(deployment(), ingestion, context.instance):
            return dg.SkipReason("Sends alerts and asks for no run.")

    return send_alerts
