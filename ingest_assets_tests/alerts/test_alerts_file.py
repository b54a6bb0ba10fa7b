"""alerts.yaml: what is accepted, and every problem with its field and without a secret."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from ingest_assets.alerts.alerts_file import channel_of, load_alerts
from ingest_assets.alerts.channels import Alerts, Slack, Smtp, Sns, Webhook
from ingest_assets.alerts.errors import AlertsFileError
from ingest_assets.declaration.declarations import read_declarations
from ingest_assets_tests.end_to_end.workshop import attributes, declare

WHOLE = """
ui_url: https://dagster.example
channels:
  ops-slack: {type: slack, url_env: SLACK_WEBHOOK_URL}
  pager: {type: webhook, url_env: PAGER_URL, headers_env: {Authorization: PAGER_TOKEN}}
  team-mail:
    type: smtp
    host: mail.example
    from: ingest@example.com
    to: [team@example.com]
    username_env: MAIL_USER
    password_env: MAIL_PASSWORD
  topic: {type: sns, topic_arn: "arn:aws:sns:eu-central-1:123456789012:ingest.fifo"}
limits: {nothing_arrived_hours: 24, batch_minutes: 60}
ingestions:
  orders: {nothing_arrived_hours: 0.5}
  shipments: {batch_minutes: null}
"""


def problems_of(folder: Path, text: str) -> list[str]:
    (folder / "alerts.yaml").write_text(text)
    with pytest.raises(AlertsFileError) as raised:
        load_alerts(folder)
    return [line.removeprefix(f"{folder}/alerts.yaml: ") for line in str(raised.value).splitlines()]


def test_every_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(WHOLE)
    alerts = load_alerts(tmp_path)
    kinds = {name: type(channel) for name, channel in alerts.channels.items()}
    assert kinds == {"ops-slack": Slack, "pager": Webhook, "team-mail": Smtp, "topic": Sns}
    assert alerts.ui_url == "https://dagster.example"
    mail, topic = alerts.channels["team-mail"], alerts.channels["topic"]
    assert isinstance(mail, Smtp)
    assert (mail.port, mail.starttls, mail.sender) == (587, True, "ingest@example.com")
    assert isinstance(topic, Sns)
    assert (topic.region, topic.is_fifo, topic.connection) == ("eu-central-1", True, "default")


def test_an_ingestion_has_its_own_limits_beside_the_general(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(WHOLE)
    alerts = load_alerts(tmp_path)
    day, hour = timedelta(days=1), timedelta(hours=1)
    found = {
        name: (alerts.limits_of(name).silence, alerts.limits_of(name).batch)
        for name in ("orders", "shipments", "others")
    }
    assert found == {"orders": (hour / 2, hour), "shipments": (day, None), "others": (day, hour)}


@pytest.mark.parametrize("text", [None, "", "channels:\ningestions:\n"])
def test_no_file_and_an_empty_one_have_no_channels(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "alerts.yaml").write_text(text)
    assert load_alerts(tmp_path) == Alerts()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "is not YAML: "),
        ("- a", "should have `channels:`, a mapping from names to channels"),
        ("chanels: {}", "chanels: is not a field here; did you mean channels?"),
        ("ui_url: dagster.example", "ui_url: should begin with http:// or https://"),
        ("limits: {batch_minutes: 0}", "limits.batch_minutes: input should be greater than 0"),
        ("limits: {batch_hours: 1}", "limits.batch_hours: is not a field here; did you mean "),
        ("ingestions: {orders: {batch_minuts: 1}}", "ingestions.orders.batch_minuts: is not a fi"),
        ("channels: {a: s3cret}", "channels.a: should be a mapping, as in {type: slack, "),
        ("channels: {a: {}}", "channels.a.type: is required and missing; it is one of slack, "),
        ("channels: {a: {type: slak}}", "channels.a.type: is not a type of channel; did you mean"),
        ("channels: {a: {type: slack}}", "channels.a.url_env: is required and missing"),
        (
            "channels: {a: {type: slack, url_env: 'https://hooks.example/s3cret'}}",
            "channels.a.url_env: should be the name of an environment variable, as in SLACK_",
        ),
        (
            "channels: {a: {type: slack, url: 'https://hooks.example/s3cret', url_env: A}}",
            "channels.a.url: is not a field here; did you mean url_env?",
        ),
        ("channels: {a: {type: webhook}}", "channels.a: needs one of url and url_env"),
        (
            "channels: {a: {type: webhook, url: 'https://me:s3cret@pager.example'}}",
            "channels.a.url: holds a user or password; name an environment variable that holds it",
        ),
        (
            "channels: {a: {type: webhook, url_env: A, headers_env: {'X: s3cret': B}}}",
            "channels.a.headers_env: ",
        ),
        (
            "channels: {a: {type: smtp, host: h, from: a@b, to: []}}",
            "channels.a.to: list should have at least 1 item",
        ),
        (
            "channels: {a: {type: smtp, host: h, from: nobody, to: [a@b]}}",
            "channels.a.from: 'nobody' is not an e-mail address, as in team@example.com",
        ),
        (
            "channels: {a: {type: smtp, host: h, from: a@b, to: ['a,c@d']}}",
            "channels.a.to.0: 'a,c@d' is not an e-mail address, as in team@example.com",
        ),
        (
            "channels: {a: {type: smtp, host: h, port: 465, from: a@b, to: [a@b]}}",
            "channels.a.port: is for TLS from the first byte; the port for STARTTLS is mostly 587",
        ),
        (
            "channels: {a: {type: smtp, host: h, from: a@b, to: [a@b], password_env: P}}",
            "channels.a: username_env and password_env go together",
        ),
        (
            "channels: {a: {type: smtp, host: h, from: a@b, to: [a@b], password_env: P, "
            "username_env: U, starttls: false}}",
            "channels.a: username_env needs starttls, or the password travels in the clear",
        ),
        (
            "channels: {a: {type: sns, topic_arn: ingest}}",
            "channels.a.topic_arn: 'ingest' is not a topic, as in arn:aws:sns:eu-central-1:",
        ),
        ("channels:\n  a: {type: slack}\n  a: {type: slack}", "is not YAML: 'a' is written twice"),
    ],
)
def test_a_problem_is_said_with_its_field(tmp_path: Path, text: str, problem: str) -> None:
    (said,) = problems_of(tmp_path, text)
    assert said.startswith(problem)
    if "X: s3cret" not in text:
        assert "s3cret" not in said


def test_a_broken_line_is_not_repeated(tmp_path: Path) -> None:
    said = problems_of(tmp_path, "channels:\n  a: {type: slack, password: 's3cret")
    assert "s3cret" not in said[0]
    assert "in line" in said[0]


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    text = "channels: {a: {type: slack}, b: {type: webhook}}\ningestions: {orders: {hours: 1}}"
    assert len(problems_of(tmp_path, text)) == 3


def test_an_unknown_channel_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(WHOLE)
    alerts = load_alerts(tmp_path)
    with pytest.raises(AlertsFileError, match=r"'ops-slak' is not in .*did you mean ops-slack"):
        channel_of(alerts, "ops-slak")
    with pytest.raises(AlertsFileError, match="has no channels"):
        channel_of(Alerts(), "ops")


def test_the_file_and_the_declarations_are_held_against_each_other(tmp_path: Path) -> None:
    document = yaml.safe_load(WHOLE)
    document["channels"]["topic"]["connection"] = "vendor"
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(document))
    declare(tmp_path, attributes("landing", alerts=["ops-slack", "team-male", "xyz"]))
    _, problems = read_declarations(tmp_path)
    path = tmp_path / "alerts.yaml"
    assert problems == [
        "orders/defs.yaml: attributes.alerts: 'team-male' is not in alerts.yaml; did you mean "
        "team-mail?",
        "orders/defs.yaml: attributes.alerts: 'xyz' is not in alerts.yaml; it has ops-slack, "
        "pager, team-mail, topic",
        f"{path}: channels.topic.connection: 'vendor' is not in connections.yaml, which has "
        "default",
        f"{path}: ingestions.shipments: no declaration has this name",
    ]
    declare(tmp_path, attributes("landing", "returns", batch={"max_files": 0}))
    _, problems = read_declarations(tmp_path)
    assert not [problem for problem in problems if "no declaration has" in problem]
