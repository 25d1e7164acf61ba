"""The worker's messages as a job sees them: starts queue, requests take effect, replies are awaited."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from tuning.runner.protocol import Channel, ChannelClosed, Message, ProtocolError


class Inbox:
    """Sort what the worker sends.

    A stop or a pause belongs to the job that runs when it is read; one that crossed the job's result on its
    way is of no effect, and since messages stay in order it can never hit the next job. `rested` gives the
    fields of the answer to a rest.
    """

    def __init__(self, channel: Channel, rested: Callable[[], dict[str, Any]] = dict) -> None:
        self.channel = channel
        self._rested = rested
        self.leaving = False
        self._starts: deque[Message] = deque()
        self._request: str | None = None
        self._replies: dict[int, Message] = {}
        self._running = False

    def next_start(self) -> Message | None:
        """Wait for the next start and return it; None once the worker wants this process to leave.

        Raises:
            ChannelClosed: the worker is gone.
        """
        self._running = False
        while not self._starts and not self.leaving:
            self._read(None)
        if self.leaving:
            return None
        self._running, self._request = True, None
        self._replies.clear()
        return self._starts.popleft()

    def request(self) -> str | None:
        """Return "stop" or "pause" if the running job shall end now; never waits for it.

        Raises:
            ChannelClosed: the worker is gone, and with it everyone who could use the job's result.
        """
        self._read(0.0)
        return self._request

    def reply(self, number: int) -> Message | None:
        """Wait for the answer to question `number` and return it; None if the job shall end instead.

        Raises:
            ChannelClosed: the worker is gone.
        """
        while self._request is None and number not in self._replies:
            self._read(None)
        return self._replies.pop(number, None)

    def _read(self, timeout: float | None) -> None:
        messages = self.channel.poll(timeout)
        for message in messages:
            self._take(message)
        if self.channel.eof:
            raise ChannelClosed("the worker has closed the channel")

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "start":
            self._starts.append(message)
        elif kind in ("stop", "pause"):
            if self._running and not self._starts:
                self._request = kind
        elif kind in ("suggest_reply", "data_reply"):
            self._replies[message["id"]] = message
        elif kind == "rest":
            if not self._running:
                self.channel.send({"type": "rested", **self._rested()})
        elif kind == "exit":
            self.leaving = True
            if self._running:
                self._request = "stop"
        else:
            raise ProtocolError(f"a worker does not send messages of type {kind!r}")
