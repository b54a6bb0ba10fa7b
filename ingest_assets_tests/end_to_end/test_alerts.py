"""Alerts from the files to the receivers: each kind of event, grouped, sent once, and retried."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
import yaml

from ingest_assets.alerts import delivery
from ingest_assets.deployment import Deployment
from ingest_assets.engine import stager
from ingest_assets.errors import CatalogError, ObjectStoreError
from ingest_assets.ledger import alert_lookup
from ingest_assets.ledger.alert_lookup import AlertRow
from ingest_assets.orchestration import tick as tick_module
from ingest_assets.orchestration.alerting import alerting
from ingest_assets.orchestration.sensor import build_alert_sensor, build_sensor
from ingest_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver, SnsReceiver
from ingest_assets_tests.end_to_end.product import COMMAND_SECONDS, Product
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

TOLD = ["ops"]


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    """A running web server."""
    with HttpReceiver() as receiver:
        yield receiver


def declare_alerts(workshop: Workshop, web: HttpReceiver, **sections: Any) -> None:
    """alerts.yaml has the channel `ops`, a webhook of `web`, beside what is given."""
    channels = {"ops": {"type": "webhook", "url": web.url}, **sections.pop("channels", {})}
    document = {"ui_url": "https://dagster.example", "channels": channels, **sections}
    path = workshop.deployment.settings.defs / "alerts.yaml"
    path.write_text(yaml.safe_dump(document))
    vars(workshop.deployment).pop("alerts", None)


def alerts(workshop: Workshop) -> list[AlertRow]:
    with workshop.deployment.ledger.transaction() as connection:
        return alert_lookup.alerts(connection, "orders", at_most=1000)


def change(workshop: Workshop, statement: str) -> None:
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql(statement)


def tick(workshop: Workshop, **changes: Any) -> dg.SensorResult:
    """What the sensor does, in this process."""
    ingestion = workshop.ingestion(**changes)
    with dg.build_sensor_context(instance=workshop.instance) as context:
        result = build_sensor(ingestion, lambda: workshop.deployment)(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_200_parked_files_are_one_message(workshop: Workshop, web: HttpReceiver) -> None:
    declare_alerts(workshop, web)
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest(alerts=TOLD)
    for number in range(200):
        rows = orders(number * 3, amount=f"much {number}")
        workshop.put(f"p{number:03}.jsonl", json_lines(rows))
    workshop.ingest(alerts=TOLD)
    (content,) = web.contents
    assert content["kind"] == "schema_pending"
    assert content["count"] == 200
    assert content["title"] == "orders: a schema change waits for a decision, 200 files parked"
    assert (
        "p000.jsonl, p001.jsonl, p002.jsonl, p003.jsonl, p004.jsonl and 195 more"
        in (content["what"])
    )
    assert "amount" in content["what"]
    assert content["ingestion"] == "orders"
    assert content["table"] == "raw.orders"
    link = "https://dagster.example/assets/raw/orders?view=checks&checkDetail=schema_compatible"
    assert content["link"] == link
    assert "`ingest-assets schema list orders`" in content["next_step"]
    workshop.ingest(alerts=TOLD)
    tick(workshop, alerts=TOLD)
    assert len(web.requests) == 1


def test_a_declaration_that_breaks_the_table_is_told_once(
    workshop: Workshop, web: HttpReceiver
) -> None:
    declare_alerts(workshop, web)
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest(alerts=TOLD)
    changed = {"columns": [{"name": "order_id", "type": "boolean"}]}
    for _ in range(2):
        tick(workshop, alerts=TOLD, schema=changed)
    (content,) = web.contents
    assert (content["kind"], content["count"]) == ("schema_pending", 1)
    assert content["title"] == "orders: the declared columns wait for a decision"
    assert "order_id" in content["what"]
    assert "parked" not in content["what"]
    assert "`ingest-assets schema list orders`" in content["next_step"]


def test_dead_letters_are_one_message_and_say_why(workshop: Workshop, web: HttpReceiver) -> None:
    declare_alerts(workshop, web)
    workshop.put("good.jsonl", json_lines(orders(1)))
    for number in range(7):
        workshop.put(f"b{number}.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(alerts=TOLD)
    (content,) = web.contents
    assert content["title"] == "orders: 7 files dead-lettered"
    assert (
        "b0.jsonl.gz, b1.jsonl.gz, b2.jsonl.gz, b3.jsonl.gz, b4.jsonl.gz and 2 more"
        in (content["what"])
    )
    assert "CorruptFileError" in content["what"]
    assert "`ingest-assets files orders --status DEAD_LETTER`" in content["next_step"]
    assert {row.state for row in alerts(workshop)} == {"SENT"}
    workshop.put("b8.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(alerts=TOLD)
    assert [told["count"] for told in web.contents] == [7, 1]


def test_rejected_rows_are_a_failed_check(workshop: Workshop, web: HttpReceiver) -> None:
    declare_alerts(workshop, web)
    workshop.put("a.jsonl", json_lines(orders(1, 50)) + b"{broken\n{broken too\n")
    workshop.ingest(alerts=TOLD)
    (content,) = web.contents
    assert content["title"] == "orders: the check rows_parsed failed for 1 file"
    assert content["what"].startswith("2 rows could not be read and went to raw.orders__rejected")
    assert "a.jsonl" in content["what"]


def test_a_run_that_fails_is_told_with_its_link_and_its_error(
    workshop: Workshop, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_alerts(workshop, web)

    def denied(*_: object) -> None:
        raise ObjectStoreError("The store at https://me:s3cret@store.example denies access.")

    workshop.put("a.jsonl", json_lines(orders(1)))
    with monkeypatch.context() as broken:
        broken.setattr(stager, "fetch", denied)
        workshop.ingest(alerts=TOLD)
    (content,) = web.contents
    assert (content["kind"], content["count"]) == ("run_failed", 1)
    (run,) = workshop.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert content["link"] == f"https://dagster.example/runs/{run.run_id}"
    assert run.run_id in content["what"]
    assert "denies access" in content["what"]
    assert "s3cret" not in json.dumps(content)
    tick(workshop, alerts=TOLD)
    assert len(web.requests) == 1


def test_a_run_by_hand_that_fails_is_told_by_the_next_tick(
    workshop: Workshop, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_alerts(workshop, web)
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest(alerts=TOLD)

    def denied(*_: object) -> None:
        raise ObjectStoreError("The store denies access.")

    with monkeypatch.context() as broken:
        broken.setattr(stager, "fetch", denied)
        assert not workshop.materialize("a.jsonl", alerts=TOLD).success
    assert web.requests == []
    tick(workshop, alerts=TOLD)
    assert [content["kind"] for content in web.contents] == ["run_failed"]


def test_nothing_that_arrives_in_time_is_told_once(workshop: Workshop, web: HttpReceiver) -> None:
    declare_alerts(
        workshop,
        web,
        limits={"nothing_arrived_hours": 24},
        ingestions={"orders": {"nothing_arrived_hours": 2}},
    )
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest(alerts=TOLD)
    assert web.requests == []
    change(
        workshop, "UPDATE ingest.ingestions SET last_arrival_at = now() - interval '150 minutes'"
    )
    change(workshop, "UPDATE ingest.alert_subscriptions SET since = now() - interval '1 day'")
    tick(workshop, alerts=TOLD)
    tick(workshop, alerts=TOLD)
    (content,) = web.contents
    assert content["title"] == "orders: nothing arrived for 2 hours"
    assert f"s3://{workshop.bucket}/orders/" in content["what"]
    with workshop.deployment.ledger.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT last_arrival_at FROM ingest.ingestions")
        assert content["since"][:19] == f"{rows.scalar_one():%Y-%m-%dT%H:%M:%S}"
    workshop.put("b.jsonl", json_lines(orders(4)))
    workshop.ingest(alerts=TOLD)
    change(
        workshop, "UPDATE ingest.ingestions SET last_arrival_at = now() - interval '130 minutes'"
    )
    tick(workshop, alerts=TOLD)
    assert len(web.requests) == 2


def test_nothing_that_ever_arrived_is_told_once_across_restarts(
    workshop: Workshop, web: HttpReceiver
) -> None:
    declare_alerts(workshop, web, limits={"nothing_arrived_hours": 1 / 3600})
    settings = workshop.deployment.settings
    for _ in range(3):
        tick(workshop, alerts=TOLD)
        time.sleep(1.1)
        workshop.deployment.ledger.dispose()
        workshop.deployment = Deployment(settings)
    (content,) = web.contents
    assert content["kind"] == "nothing_arrived"


def test_a_batch_that_hangs_is_told_while_it_hangs(
    workshop: Workshop, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_alerts(workshop, web, limits={"batch_minutes": 1 / 60})
    tick(workshop, alerts=TOLD)
    began, is_over = threading.Event(), threading.Event()

    def hangs(*_: object) -> None:
        began.set()
        is_over.wait(COMMAND_SECONDS)
        raise ObjectStoreError("The store does not answer.")

    monkeypatch.setattr(stager, "fetch", hangs)
    workshop.put("a.jsonl", json_lines(orders(1)))
    worker = threading.Thread(target=workshop.ingest, kwargs={"alerts": TOLD})
    worker.start()
    assert began.wait(COMMAND_SECONDS)
    time.sleep(1.1)
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            with alerting(workshop.deployment, workshop.ingestion(alerts=TOLD), instance):
                pass
    (content,) = web.contents
    is_over.set()
    worker.join()
    assert content["kind"] == "batch_slow"
    assert "is not done yet" in content["what"]


def test_a_batch_that_takes_too_long_is_told_while_it_runs(
    workshop: Workshop, web: HttpReceiver
) -> None:
    declare_alerts(workshop, web, limits={"batch_minutes": 60})
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest(alerts=TOLD)
    assert web.requests == []
    change(workshop, "UPDATE ingest.alert_subscriptions SET since = now() - interval '1 day'")
    change(
        workshop,
        "UPDATE ingest.batches SET prepared_at = now() - interval '61 minutes', "
        "status = 'PREPARED', finished_at = NULL, lease_expires_at = now() + interval '1 hour'",
    )
    for _ in range(2):
        tick(workshop, alerts=TOLD)
    (content,) = web.contents
    assert content["title"] == "orders: 1 batch took longer than 60 minutes"
    assert "is not done yet" in content["what"]
    assert content["link"].startswith("https://dagster.example/runs/")


def test_a_channel_that_is_down_is_tried_again_and_gets_each_message_once(
    workshop: Workshop, web: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    declare_alerts(workshop, web)
    web.status = 503
    workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(alerts=TOLD)
    assert len(web.requests) == 1
    assert "An alert of orders waits: ops (webhook): it answered with HTTP 503" in caplog.text
    for key in ("b.jsonl.gz", "c.jsonl.gz"):
        workshop.put(key, cut_gzip(orders(100, 400)))
    workshop.ingest(alerts=TOLD)
    assert len(web.requests) == 1, "it is tried again after a minute, not at every tick"
    (waiting,) = {(row.state, row.attempts, row.error) for row in alerts(workshop) if row.state}
    assert waiting == ("WAITING", 1, "ops (webhook): it answered with HTTP 503")
    web.status = 200
    change(workshop, "UPDATE ingest.alert_deliveries SET next_attempt_at = now()")
    tick(workshop, alerts=TOLD)
    tick(workshop, alerts=TOLD)
    tick(workshop, alerts=TOLD)
    first, again, rest = web.contents
    assert first == again, "the same message under the same id"
    assert (again["count"], rest["count"]) == (1, 2)
    assert {row.state for row in alerts(workshop)} == {"SENT"}


def test_a_message_that_is_refused_holds_no_other_up_and_is_dropped_in_the_end(
    workshop: Workshop, web: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    declare_alerts(workshop, web)
    web.status = 400
    workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.put("b.jsonl", json_lines(orders(1, 50)) + b"{broken\n")
    workshop.ingest(alerts=TOLD)
    assert {content["kind"] for content in web.contents} == {"dead_letter", "check_failed"}
    assert "An alert of orders waits and is tried again: ops (webhook): it answered" in caplog.text
    change(workshop, "UPDATE ingest.alert_deliveries SET attempts = 9, next_attempt_at = now()")
    tick(workshop, alerts=TOLD)
    assert {row.state for row in alerts(workshop)} == {"DROPPED"}
    assert "An alert of orders is dropped: ops (webhook): it answered with HTTP 400" in caplog.text
    web.status = 200
    workshop.put("c.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(alerts=TOLD)
    assert "c.jsonl.gz" in web.contents[-1]["what"]


def test_a_channel_that_is_down_holds_no_other_up_and_fails_no_tick(
    workshop: Workshop, web: HttpReceiver
) -> None:
    dead = {"type": "webhook", "url": "http://127.0.0.1:9/"}
    declare_alerts(workshop, web, channels={"a-dead-one": dead})
    workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    result = workshop.ingest(alerts=["a-dead-one", "ops"])
    assert result.counts == {"DEAD_LETTER": 1}
    assert len(web.requests) == 1
    assert {row.channel: row.state for row in alerts(workshop)} == {
        "a-dead-one": "WAITING",
        "ops": "SENT",
    }
    workshop.ingest(alerts=["ops"])
    assert {row.channel: row.state for row in alerts(workshop)}["a-dead-one"] == "DROPPED"


def test_every_channel_gets_the_same_event(
    workshop: Workshop, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_URL", f"{web.url}/services/s3cret")
    monkeypatch.setenv("TOPIC_KEY", "moto")
    with SmtpReceiver() as mail, SnsReceiver() as sns:
        topic, queue = sns.topic("alerts")
        keys = {"access_key_id_env": "TOPIC_KEY", "secret_access_key_env": "TOPIC_KEY"}
        (workshop.deployment.settings.defs / "connections.yaml").write_text(
            yaml.safe_dump({"aws": {"endpoint_url": sns.url, **keys}})
        )
        smtp = {"type": "smtp", "host": "127.0.0.1", "port": mail.port, "starttls": False}
        declare_alerts(
            workshop,
            web,
            channels={
                "slack": {"type": "slack", "url_env": "SLACK_URL"},
                "mail": {**smtp, "from": "ingest@shop.example", "to": ["team@shop.example"]},
                "topic": {"type": "sns", "topic_arn": topic, "connection": "aws"},
            },
        )
        workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
        workshop.ingest(alerts=["ops", "slack", "mail", "topic"])
        assert {row.state for row in alerts(workshop)} == {"SENT"}
        title = "orders: 1 file dead-lettered"
        by_path = {request.path: request.content for request in web.requests}
        assert by_path["/"]["title"] == title
        assert by_path["/services/s3cret"]["text"].startswith(title)
        assert [received["Subject"] for received in mail.mailbox.mails] == [
            f"[ingest_assets] {title}"
        ]
        assert [received["Subject"] for received in sns.received(queue)] == [title]


def test_a_secret_is_in_no_log_and_not_in_the_ledger(
    workshop: Workshop,
    web: HttpReceiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SLACK_URL", f"{web.url}/services/s3cret")
    declare_alerts(workshop, web, channels={"slack": {"type": "slack", "url_env": "SLACK_URL"}})
    web.status, web.body = 403, b"no access to /services/s3cret"
    workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(alerts=["slack"])
    assert len(web.requests) == 1
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(alerts(workshop))
    with workshop.deployment.ledger.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT d::text FROM ingest.alert_deliveries d")
        assert "s3cret" not in repr(rows.all())


def test_what_happened_before_a_channel_was_named_is_not_sent_to_it(
    workshop: Workshop, web: HttpReceiver
) -> None:
    with HttpReceiver() as other:
        declare_alerts(workshop, web, channels={"late": {"type": "webhook", "url": other.url}})
        workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
        workshop.ingest()
        workshop.ingest(alerts=TOLD)
        assert alerts(workshop) == []
        workshop.put("b.jsonl.gz", cut_gzip(orders(100, 400)))
        workshop.ingest(alerts=TOLD)
        workshop.ingest(alerts=["late", *TOLD])
        assert (len(web.requests), len(other.requests)) == (1, 0)
        workshop.ingest()
        workshop.put("c.jsonl.gz", cut_gzip(orders(100, 400)))
        workshop.ingest()
        workshop.ingest(alerts=["late", *TOLD])
        assert (len(web.requests), len(other.requests)) == (1, 0), "not told while unnamed"


def test_a_tick_that_fails_still_sends_what_waits(
    workshop: Workshop, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_alerts(workshop, web)
    workshop.ingest(alerts=TOLD)
    workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(alerts=TOLD)
    change(workshop, "UPDATE ingest.alert_deliveries SET state = 'WAITING', sent_at = NULL")

    def out_of_reach(*_: object) -> None:
        raise CatalogError("The catalog does not answer.")

    monkeypatch.setattr(tick_module, "recover", out_of_reach)
    with pytest.raises(CatalogError):
        tick(workshop, alerts=TOLD)
    assert len(web.requests) == 2


def test_a_fault_of_the_alerts_fails_no_tick(
    workshop: Workshop,
    web: HttpReceiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    declare_alerts(workshop, web)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(delivery.alert_deliveries, "take_due", fails)
    workshop.put("a.jsonl", json_lines(orders(1)))
    assert workshop.ingest(alerts=TOLD).is_all_well
    assert "The alerts of orders wait." in caplog.text


def test_a_bad_alerts_file_fails_no_tick_and_is_said(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    (workshop.deployment.settings.defs / "alerts.yaml").write_text("channel: {}")
    workshop.put("a.jsonl", json_lines(orders(1)))
    assert workshop.ingest(alerts=TOLD).is_all_well
    assert "Nobody is told of orders now: " in caplog.text
    assert "did you mean channels?" in caplog.text


def test_an_ingestion_with_a_schedule_has_a_sensor_for_its_alerts(
    workshop: Workshop, web: HttpReceiver
) -> None:
    declare_alerts(workshop, web)
    nightly = {"schedule": {"cron": "0 2 * * *"}, "alerts": TOLD}
    assert build_alert_sensor(workshop.ingestion(alerts=TOLD)) is None
    assert build_alert_sensor(workshop.ingestion(schedule=nightly["schedule"])) is None
    sensor = build_alert_sensor(workshop.ingestion(**nightly), lambda: workshop.deployment)
    assert sensor is not None
    assert sensor.name == "orders_alerts"
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    web.status = 503
    workshop.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(**nightly)
    web.status = 200
    change(workshop, "UPDATE ingest.alert_deliveries SET next_attempt_at = now()")
    with dg.build_sensor_context(instance=workshop.instance) as context:
        sensor(context)
        sensor(context)
    assert len(web.requests) == 2
    assert {row.state for row in alerts(workshop)} == {"SENT"}


@pytest.mark.slow
def test_a_process_that_starts_anew_sends_nothing_twice(
    product: Product, web: HttpReceiver
) -> None:
    document = {"channels": {"ops": {"type": "webhook", "url": web.url}}}
    (product.defs / "alerts.yaml").write_text(yaml.safe_dump(document))
    product.declare(alerts=TOLD)
    product.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    for _ in range(2):
        assert product("run", "orders").returncode == 3
    (content,) = web.contents
    assert content["link"] == "/assets/raw/orders?view=partitions&partition=a.jsonl.gz"
    (row,) = product.json("alerts", "orders")
    assert (row["kind"], row["state"], row["delivery_id"]) == ("dead_letter", "SENT", content["id"])


@pytest.mark.slow
def test_a_process_killed_while_it_sends_loses_nothing(product: Product, web: HttpReceiver) -> None:
    document = {"channels": {"ops": {"type": "webhook", "url": web.url}}}
    (product.defs / "alerts.yaml").write_text(yaml.safe_dump(document))
    product.declare(alerts=TOLD)
    product.put("a.jsonl.gz", cut_gzip(orders(100, 400)))
    web.is_silent.set()
    process = product.start("run", "orders")
    assert web.is_asked.wait(COMMAND_SECONDS)
    process.kill()
    process.communicate()
    web.is_silent.clear()
    assert product("run", "orders").returncode == 3
    first, again = web.contents
    assert first == again, "the receiver can tell by the id"
    assert product("run", "orders").returncode == 3
    assert len(web.requests) == 2


def test_a_rule_that_rows_break_is_a_failed_check_and_one_that_keeps_a_file_out_a_dead_letter(
    workshop: Workshop, web: HttpReceiver
) -> None:
    declare_alerts(workshop, web)
    rules = [
        {"range": {"column": "amount", "max": 1000}},
        {"not_null": ["order_id"], "blocking": True},
        {"accepted": {"column": "customer", "values": ["lost"]}, "on_fail": "warn"},
    ]
    workshop.put("a.jsonl", json_lines(orders(1, 2)))
    workshop.put("b.jsonl", json_lines([{**orders(3, 1)[0], "order_id": None}]))
    workshop.ingest(alerts=TOLD, quality=rules)
    by_kind = {content["kind"]: content for content in web.contents}
    failed, dead = by_kind["check_failed"], by_kind["dead_letter"]
    assert failed["title"] == "orders: the check accepted_customer failed for 1 file"
    assert failed["what"].startswith("a.jsonl: 2 of 2 rows break it: customer is lost.")
    assert "could not be read" not in failed["what"]
    assert "QualityError" in dead["what"]
    assert "not_null_order_id: 1 of 1 rows break it" in dead["what"]
