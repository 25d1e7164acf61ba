"""A TCP proxy in front of a server, which a test cuts: it refuses (and resets), or hangs, until it is healed."""

import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Self

BYTES = 65_536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the close sends a reset


class Proxy:
    """Forwards connections to `port` of this machine from a port of its own; one thread."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._hanging = threading.Event()
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._forward, daemon=True, name="proxy")
        self._thread.start()

    def refuse(self) -> None:
        """Reset every connection and take no new one."""
        with self._lock:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            for sock in list(self._pairs):
                self._drop(sock)

    def hang(self) -> None:
        """Forward nothing more, in either direction; the kernel goes on to accept what is sent."""
        self._hanging.set()

    def heal(self) -> None:
        """As before; what hung goes on, with all that was sent meanwhile."""
        with self._lock:
            self._hanging.clear()
            if self._listener is None:
                self._listener = socket.create_server(("127.0.0.1", self.port))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()
        self.refuse()

    def _forward(self) -> None:
        while not self._ended:
            with self._lock:
                watched = [] if self._hanging.is_set() else [*self._pairs]
                if self._listener is not None and not self._hanging.is_set():
                    watched.append(self._listener)
                with selectors.DefaultSelector() as selector:
                    for sock in watched:
                        selector.register(sock, selectors.EVENT_READ)
                    for key, _ in selector.select(0.005):
                        self._take(key.fileobj)
            threading.Event().wait(0.001)  # let somebody else have the lock

    def _take(self, sock: socket.socket) -> None:
        if sock is self._listener:
            client, _ = sock.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            self._pairs[client], self._pairs[server] = server, client
            return
        other = self._pairs.get(sock)
        if other is None:
            return  # dropped in this round
        try:
            data = sock.recv(BYTES)
            if data:
                other.sendall(data)
                return
        except OSError:
            pass  # the end of either is the end of both
        self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        other = self._pairs.pop(sock, None)
        if other is None:
            return
        self._pairs.pop(other, None)
        for end in (sock, other):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()
