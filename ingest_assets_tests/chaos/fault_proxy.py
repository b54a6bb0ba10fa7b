"""A proxy before an S3 server: each request gets through, or meets a fault in a seeded order.

It reads one request a connection, which has to have no body (the product only reads its source),
and asks the server to close after its answer.
"""

import contextlib
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import urlsplit

_HEAD_END = b"\r\n\r\n"
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_HANG_SECONDS = 1.5


class Fault(StrEnum):
    """What a request meets instead of the server's answer."""

    SERVER_ERROR = "500 InternalError"
    SLOW_DOWN = "503 SlowDown"
    RESET = "reset in the middle of the body"
    HANG = "no answer, then a reset"


class FaultProxy:
    """Listens on a port of its own; `met` counts the faults that requests have met.

    Every fault comes `each` times, at requests that the seed chooses; then all get through.
    """

    def __init__(self, upstream_url: str, seed: int, *, each: int = 2) -> None:
        address = urlsplit(upstream_url)
        assert address.hostname is not None
        assert address.port is not None
        self._upstream = (address.hostname, address.port)
        self._rng = random.Random(seed)
        self._deck = [fault for fault in Fault for _ in range(each)]
        self._rng.shuffle(self._deck)
        self._one_at_a_time = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.met: Counter[Fault] = Counter()

    @property
    def url(self) -> str:
        """What the product takes for its S3 server."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "FaultProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = _read_head(client)
            if head is None:
                return
            match self._draw():
                case None:
                    for part in self._answer(head):
                        client.sendall(part)
                case Fault.RESET:
                    whole = b"".join(self._answer(head))
                    client.sendall(whole[: (whole.index(_HEAD_END) + len(whole)) // 2])
                    _reset(client)
                case Fault.HANG:
                    time.sleep(_HANG_SECONDS)
                    _reset(client)
                case fault:
                    client.sendall(_refusal(fault))

    def _draw(self) -> Fault | None:
        """The fault that the next request meets; about every second one meets one at first."""
        with self._one_at_a_time:
            if not self._deck or self._rng.random() < 0.5:
                return None
            fault = self._deck.pop()
            self.met[fault] += 1
            return fault

    def _answer(self, head: bytes) -> Iterator[bytes]:
        with socket.create_connection(self._upstream, timeout=60) as server:
            server.sendall(head.replace(_HEAD_END, b"\r\nConnection: close" + _HEAD_END))
            while part := server.recv(65536):
                yield part


def _read_head(client: socket.socket) -> bytes | None:
    """The request up to its empty line; None when the client left before."""
    head = b""
    while not head.endswith(_HEAD_END):
        part = client.recv(65536)
        if not part:
            return None
        head += part
    assert head.startswith((b"GET ", b"HEAD ")), head[:80]
    return head


def _refusal(fault: Fault) -> bytes:
    status, code = fault.split(" ")
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
    return (
        f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
