"""The demo's S3 server."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import botocore.exceptions
import psutil
import pytest

from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.errors import ObjectStoreError


def test_an_object_that_was_put_is_listed_and_read(s3: Any, bucket: str) -> None:
    s3.put(bucket, "orders/2026/one.json", b'{"id": 1}\n')
    listed = s3.client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [(found["Key"], found["Size"]) for found in listed] == [("orders/2026/one.json", 10)]
    body = s3.client.get_object(Bucket=bucket, Key="orders/2026/one.json")["Body"].read()
    assert body == b'{"id": 1}\n'


def test_putting_into_a_bucket_that_is_not_there_makes_it(s3: Any) -> None:
    s3.put("made-on-the-way", "a", b"a")
    assert s3.client.head_object(Bucket="made-on-the-way", Key="a")["ContentLength"] == 1


def test_a_request_with_the_wrong_key_is_refused(s3: Any, bucket: str) -> None:
    stranger = type(s3)(s3.folder, secret_key="guessed")
    stranger._port = s3._port
    with pytest.raises(botocore.exceptions.ClientError, match="Access"):
        stranger.client.list_objects_v2(Bucket=bucket)


def test_ports_stay_below_those_that_systems_hand_out(s3: Any) -> None:
    server = psutil.Process(s3._guarded.server_pid())
    listening = [
        found.laddr
        for found in server.net_connections("inet")
        if found.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert max(address.port for address in listening) < 32768


def test_a_second_server_on_a_folder_in_use_is_refused_and_the_first_lives_on(s3: Any) -> None:
    with pytest.raises(ObjectStoreError, match="for another process"):
        DemoObjectStore(s3.folder).start()
    s3.make_bucket()


def test_objects_outlive_a_restart(tmp_path: Path) -> None:
    store = DemoObjectStore(tmp_path)
    with store:
        store.put("landing", "a", b"kept")
    assert "port=None" in repr(store)
    with pytest.raises(ObjectStoreError, match="not running"):
        store.env()
    with store:
        store.put("landing", "b", b"new")
        assert (store.region, store.env()["AWS_ALLOW_HTTP"]) == ("us-east-1", "true")


def test_the_server_dies_with_a_process_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from ingest_assets.demo.object_store import DemoObjectStore\n"
        "store = DemoObjectStore(pathlib.Path(sys.argv[1])).start()\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        server = psutil.Process(int((tmp_path / "server.pid").read_text()))
        owner.kill()
    deadline = time.monotonic() + 20
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the S3 server outlived its owner"
        time.sleep(0.1)
