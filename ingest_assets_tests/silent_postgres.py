"""A Postgres that goes on accepting, and acknowledging what it is sent, and answers nothing."""

import socket
import threading
from contextlib import suppress

from sqlalchemy import make_url


class SilentPostgres:
    """A TCP proxy before the Unix socket of a server; forwards until it is told to fall silent."""

    def __init__(self, url: str) -> None:
        behind = make_url(url)
        self._upstream = f"{behind.query['host']}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._ends: list[socket.socket] = []
        self._is_silent = threading.Event()
        port = self._listener.getsockname()[1]
        front = behind.set(host="127.0.0.1", port=port, query={})
        self.url = front.render_as_string(hide_password=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        """Nothing is forwarded any more, neither on what is open nor on what comes."""
        self._is_silent.set()

    def close(self) -> None:
        """Nobody listens, and every connection has ended."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._ends.append(client)
                if self._is_silent.is_set():
                    continue
                server = socket.socket(socket.AF_UNIX)
                self._ends.append(server)
                server.connect(self._upstream)
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                if not self._is_silent.is_set():
                    target.sendall(part)
            if not self._is_silent.is_set():
                target.shutdown(socket.SHUT_RDWR)
