"""Alerts published to a topic of Amazon SNS."""

import json

from botocore.config import Config
from botocore.exceptions import ClientError

from ingest_assets.alerts.channels import Sns
from ingest_assets.alerts.errors import ChannelError, MessageRefusedError
from ingest_assets.alerts.message import Message
from ingest_assets.files.connections import Connection
from ingest_assets.files.credentials import session_of

_SUBJECT_CHARACTERS = 100
_REFUSALS = ("InvalidParameter", "InvalidParameterValue")
_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})


def publish(channel: Sns, message: Message, delivery_id: str, connection: Connection) -> None:
    """SNS has taken the message: text for people, and its fields as JSON in an attribute.

    Raises:
        ChannelError: it has not; the error has the code of AWS.
    """
    client = session_of(connection).client(
        "sns", region_name=channel.region, endpoint_url=connection.endpoint_url, config=_CONFIG
    )
    fifo = {"MessageGroupId": message.ingestion, "MessageDeduplicationId": delivery_id}
    try:
        client.publish(
            TopicArn=channel.topic_arn,
            Subject=subject(message),
            Message=message.text(),
            MessageAttributes={
                "id": {"DataType": "String", "StringValue": delivery_id},
                "kind": {"DataType": "String", "StringValue": message.kind},
                "ingestion": {"DataType": "String", "StringValue": message.ingestion},
                "alert": {"DataType": "String", "StringValue": json.dumps(message.to_json())},
            },
            **(fifo if channel.is_fifo else {}),
        )
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no code")
        refusal = MessageRefusedError if code in _REFUSALS else ChannelError
        raise refusal(f"SNS answered with {code}") from None
    finally:
        client.close()


def subject(message: Message) -> str:
    """The title as SNS takes it: ASCII, on one line, at most 100 characters."""
    plain = message.title.encode("ascii", "replace").decode()
    return " ".join(plain.split())[:_SUBJECT_CHARACTERS]
