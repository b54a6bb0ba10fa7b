"""`ingest-assets setup-notifications` against a real S3, SQS, SNS and EventBridge server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import boto3
import pytest

from ingest_assets.files.notifications.policies import Through
from ingest_assets_tests.aws_server import AwsServer
from ingest_assets_tests.cli.conftest import Cli
from ingest_assets_tests.end_to_end.workshop import attributes, declare

NAME = "ingest-orders"


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def landing(aws: AwsServer, defs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The bucket of the declaration `orders`, which has no queue yet; one of another program."""
    for name, value in aws.env().items():
        monkeypatch.setenv(name, value)
    bucket = aws.make_bucket()
    declare(defs, attributes(bucket))
    aws.notify(bucket, aws.make_queue())
    yield bucket
    for queue in aws.client("sqs").list_queues().get("QueueUrls", []):
        aws.client("sqs").delete_queue(QueueUrl=queue)


def _setup(run_cli: Cli, *arguments: str) -> dict[str, Any]:
    result = run_cli("setup-notifications", "orders", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _configuration(aws: AwsServer, bucket: str) -> dict[str, Any]:
    found = aws.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    del found["ResponseMetadata"]
    return dict(found)


def _elsewhere(aws: AwsServer) -> list[list[Any]]:
    """The topics and rules of the server; other tests of this process may have left some."""
    topics = aws.client("sns").list_topics()["Topics"]
    return [topics, aws.client("events").list_rules()["Rules"]]


def test_without_apply_all_is_printed_and_nothing_changed(
    run_cli: Cli, aws: AwsServer, landing: str
) -> None:
    before, elsewhere = _configuration(aws, landing), _elsewhere(aws)
    for through in get_args(Through):
        found = _setup(run_cli, "--through", through)
        assert found["done"] == []
        assert f"queue {NAME}" in found["missing"]
        assert f"notification configuration of the bucket {landing}" in found["missing"]
    assert _configuration(aws, landing) == before
    assert all(NAME not in url for url in aws.client("sqs").list_queues()["QueueUrls"])
    assert _elsewhere(aws) == elsewhere
    text = run_cli("setup-notifications", "orders").stdout
    assert "Nothing was changed. Do it with --apply" in text
    assert f"discovery: {{mode: both, queue_url: {found['queue_url']}}}" in text


def test_the_documents_allow_the_bucket_and_the_ingestion_no_more_than_they_need(
    run_cli: Cli, aws: AwsServer, landing: str
) -> None:
    documents = _setup(run_cli)["documents"]
    [statement] = documents[f"policy of the queue {NAME}"]["Statement"]
    queue_arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{NAME}"
    assert statement == {
        "Sid": NAME,
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{landing}"},
            "StringEquals": {"aws:SourceAccount": aws.account},
        },
    }
    listing, reading, queue = documents["IAM policy of the ingestion"]["Statement"]
    assert (listing["Action"], listing["Resource"], listing["Condition"]) == (
        "s3:ListBucket",
        f"arn:aws:s3:::{landing}",
        {"StringLike": {"s3:prefix": "orders/*"}},
    )
    assert (reading["Action"], reading["Resource"]) == (
        "s3:GetObject",
        f"arn:aws:s3:::{landing}/orders/*",
    )
    assert (queue["Action"], queue["Resource"]) == (
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        queue_arn,
    )


@pytest.mark.parametrize("through", get_args(Through))
def test_applied_it_works_and_applied_again_it_changes_nothing(
    run_cli: Cli, aws: AwsServer, landing: str, through: str
) -> None:
    [theirs] = _configuration(aws, landing)["QueueConfigurations"]
    first = _setup(run_cli, "--apply", "--through", through)
    # moto gives everything of a bucket's configuration back but EventBridge's part
    unseen = [f"notification configuration of the bucket {landing}"] * (through == "eventbridge")
    assert (first["missing"], first["done"][0]) == (unseen, f"queue {NAME}")
    configured = _configuration(aws, landing)
    assert theirs in configured["QueueConfigurations"]
    text = run_cli("setup-notifications", "orders", "--apply", "--through", through).stdout
    assert "Nothing was changed" not in text
    assert ("All of it is so already." in text) == (not unseen)
    again = _setup(run_cli, "--apply", "--through", through)
    assert (again["done"], again["missing"]) == (unseen, unseen)
    assert again["documents"] == first["documents"]
    assert _configuration(aws, landing) == configured

    url = first["queue_url"]
    aws.client("sqs").purge_queue(QueueUrl=url)
    aws.put(landing, "orders/a.jsonl", b"{}")
    aws.put(landing, "returns/a.jsonl", b"{}")
    assert aws.messages(url) == 1


def test_a_server_with_an_address_of_its_own_is_asked_for_the_bucket_by_path(
    run_cli: Cli, defs: Path, aws: AwsServer, landing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url.replace("127.0.0.1", "localhost"))
    assert _setup(run_cli)["missing"]


def test_what_others_declared_stays_when_the_way_is_changed(
    run_cli: Cli, aws: AwsServer, landing: str
) -> None:
    theirs = _configuration(aws, landing)["QueueConfigurations"]
    url = _setup(run_cli, "--apply")["queue_url"]
    foreign = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "sqs:*"}
    policy = json.loads(
        aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])[
            "Attributes"
        ]["Policy"]
    )
    policy["Statement"].append({**foreign, "Resource": aws.queue_arn(url)})
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    changed = _setup(run_cli, "--apply", "--through", "sns")
    assert [
        statement["Sid"]
        for statement in changed["documents"][f"policy of the queue {NAME}"]["Statement"]
    ] == ["theirs", NAME]
    configured = _configuration(aws, landing)
    assert configured["QueueConfigurations"] == theirs
    assert [entry["Id"] for entry in configured["TopicConfigurations"]] == [NAME]


def test_a_declared_queue_is_the_one_that_is_set_up(
    run_cli: Cli, defs: Path, aws: AwsServer, landing: str
) -> None:
    url = aws.make_queue()
    discovery = {"mode": "notifications", "queue_url": url}
    declare(defs, attributes(landing, source={"discovery": discovery}))
    found = _setup(run_cli, "--apply")
    assert (found["queue_url"], found["missing"]) == (url, [])
    arns = {entry["QueueArn"] for entry in _configuration(aws, landing)["QueueConfigurations"]}
    assert aws.queue_arn(url) in arns
    text = run_cli("setup-notifications", "orders").stdout
    assert "All of it is so already." in text
    assert "Then declare" not in text


def test_a_declared_queue_of_another_region_is_named_as_it_names_itself(
    run_cli: Cli, defs: Path, aws: AwsServer, landing: str
) -> None:
    bucket, url = f"{landing}-far", aws.make_queue()
    place = {"LocationConstraint": "eu-west-3"}
    there = boto3.client("s3", region_name="eu-west-3")
    there.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    discovery = {"mode": "notifications", "queue_url": url}
    declare(defs, attributes(bucket, source={"discovery": discovery}))
    found = _setup(run_cli, "--apply", "--through", "sns")
    assert found["missing"] == []
    queue_policy = found["documents"][f"policy of the queue {url.rsplit('/', 1)[1]}"]
    assert queue_policy["Statement"][0]["Resource"] == aws.queue_arn(url)
    own = found["documents"]["IAM policy of the ingestion"]["Statement"][2]
    assert own["Resource"] == aws.queue_arn(url)
    aws.client("sqs").purge_queue(QueueUrl=url)  # of S3's test event
    there.put_object(Bucket=bucket, Key="orders/a.jsonl", Body=b"{}")
    assert aws.messages(url) == 1
    discovery["queue_url"] = f"{url}-new"
    declare(defs, attributes(bucket, source={"discovery": discovery}))
    for found in (_setup(run_cli), _setup(run_cli, "--apply", "--through", "sns")):
        own = found["documents"]["IAM policy of the ingestion"]["Statement"][2]
        assert own["Resource"] == f"{aws.queue_arn(url)}-new"


def test_a_source_elsewhere_and_a_bucket_that_is_not_there_are_refused(
    run_cli: Cli, defs: Path, landing: str
) -> None:
    declare(defs, attributes(landing, "local", source={"uri": "file:///srv/landing/"}))
    result = run_cli("setup-notifications", "local")
    assert "notifications are for s3:// sources" in str(result.exception)
    declare(defs, attributes("there-is-none", "returns"))
    result = run_cli("setup-notifications", "returns", "--apply")
    assert "The bucket does not exist" in str(result.exception)


def test_check_connect_tries_the_queue(
    run_cli: Cli, defs: Path, aws: AwsServer, landing: str
) -> None:
    url = aws.make_queue()
    discovery = {"mode": "both", "queue_url": url}
    declare(defs, attributes(landing, source={"discovery": discovery}))
    assert run_cli("check", "--connect").exit_code == 0
    discovery["queue_url"] = f"{url}-none"
    declare(defs, attributes(landing, source={"discovery": discovery}))
    result = run_cli("check", "--connect")
    assert result.exit_code == 1
    assert "orders/defs.yaml: attributes.source: " in result.stderr
    assert "The queue does not exist." in result.stderr
