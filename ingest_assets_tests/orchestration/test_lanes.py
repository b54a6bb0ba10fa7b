"""Which lane of an ingestion the next runs go into."""

import dagster as dg

from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.lanes import lanes_for
from ingest_assets.orchestration.names import INGESTION_TAG, LANE_TAG
from ingest_assets_tests.end_to_end.workshop import attributes


def _ingestion(lanes: int) -> Ingestion:
    return Ingestion.model_validate(attributes("landing", batch={"max_concurrent_runs": lanes}))


def _add_run(instance: dg.DagsterInstance, lane: str, status: dg.DagsterRunStatus) -> None:
    tags = {INGESTION_TAG: "orders", LANE_TAG: lane}
    instance.add_run(dg.DagsterRun(job_name="held", status=status, tags=tags))


def test_all_runs_of_an_ingestion_are_in_one_lane_unless_it_declares_more() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ingestion = Ingestion.model_validate(attributes("landing"))
        assert lanes_for(ingestion, instance, 3) == ["orders", "orders", "orders"]


def test_runs_go_where_the_fewest_wait_or_run() -> None:
    going, ended = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS
    with dg.DagsterInstance.ephemeral() as instance:
        assert lanes_for(_ingestion(2), instance, 3) == ["orders", "orders/2", "orders"]
        _add_run(instance, "orders", going)
        _add_run(instance, "orders/2", ended)
        assert lanes_for(_ingestion(2), instance, 3) == ["orders/2", "orders", "orders/2"]
        _add_run(instance, "orders/9", going)  # the declaration had more lanes once
        assert lanes_for(_ingestion(3), instance, 1) == ["orders/2"]
