"""Looking for workloads: a search outlives processes that a workload's file hangs or ends when it is imported.

`describe_here` does it from a command, without a slot: the demo and `tune` need workloads before a worker runs.
"""

import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from tuning.models import Device, Host, Slot, Workload
from tuning.runner.protocol import Message, ProtocolError
from tuning.selectors.offerings import host_named
from tuning.services.workloads import store_descriptions
from tuning.workers.launcher import ask_to_leave, configured_launcher
from tuning.workers.messages import text_of

TAIL_BYTES = 2_000  # of a log, for the error of a file that ended the process


class DescribeFailed(Exception):
    """The process that looks for workloads did not answer; the message has its last words."""


class Search:
    """One search for workloads, within `seconds`, by one process after another.

    The process tells which source (a file or a module) it imports. One that takes more than half of what is left of
    the time, or ends the process, is given up: the next process leaves it out and shows why. So there is always time
    for the others.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends = time.monotonic() + seconds
        self.given_up: dict[str, str] = {}
        self.begin()

    def begin(self) -> None:
        """A new process begins from the start, without what was given up."""
        self.source = ""
        self.source_ends = self.ends
        self.found: dict[str, dict[str, Any]] = {}

    def hear(self, message: Message, now: float) -> None:
        """Take a message of type looking or found. Raises ProtocolError."""
        if message["type"] == "looking":
            self.source = text_of(message, "source")
            self.source_ends = now + max(0.0, self.ends - now) / 2
        elif message["type"] == "found":
            entries = message.get("workloads")
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise ProtocolError(f"a message of type 'found' whose workloads are {str(entries)[:80]}")
            for entry in entries:
                self.found.setdefault(text_of(entry | {"type": "found"}, "name"), entry)
            self.source = ""

    def hangs(self, now: float) -> bool:
        """Whether the source that is imported has had its time."""
        return bool(self.source) and now >= self.source_ends

    def give_up_hung(self) -> None:
        """The next process leaves out the source that hangs."""
        self._give_up(
            f"Importing {self.source} had not finished when it was ended: it may take half of the {self.seconds:g} s "
            "that a search for workloads has on this host. What stands at the top of a file runs whenever the file is "
            "imported; move loops, waits and downloads into a method, such as data(). Where importing only takes long, "
            "raise HPWEB_DESCRIBE_SECONDS."
        )

    def give_up_deadly(self, code: int, log: Path) -> None:
        """The next process leaves out the source whose import has ended this one."""
        known = -code in set(signal.Signals)
        how = f"by {signal.Signals(-code).name}" if known else f"with exit code {code}"
        tail = log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").strip() if log.exists() else ""
        self._give_up(
            f"Importing {self.source} ended the process {how}, before an error could be caught. "
            f"{f'Its last words: {tail}' if tail else 'It printed nothing.'}"
        )

    def _give_up(self, why: str) -> None:
        self.given_up[self.source] = why
        self.begin()

    def partly(self) -> dict[str, Any]:
        """What there is of an answer: what this process has found, and what was given up."""
        blank = {"title": "", "doc": "", "kind": "pytorch", "digest": ""}
        failures = [
            {**blank, "name": source, "source": source, "error": why}
            for source, why in self.given_up.items()
            if source not in self.found
        ]
        return {"workloads": [*self.found.values(), *failures]}


def describe_here() -> list[Workload]:
    """Start trial processes of kind describe on this machine and store what they find. Raises DescribeFailed."""
    search = Search(settings.JOB_SECONDS["describe"])
    with tempfile.TemporaryDirectory() as folder:
        while True:
            log = Path(folder) / f"describe-{len(search.given_up)}.log"
            answer = _ask(search, log)
            if answer is not None:
                return store_descriptions(entries=answer["workloads"], host=host_named(settings.HOST_NAME))


def _ask(search: Search, log: Path) -> Message | None:
    """One process's answer; None where it was ended for a source that is given up now. Raises DescribeFailed."""
    slot = Slot(device=Device(host=Host(name="here"), uuid="cpu", kind="CPU"), index=0, threads=1)
    process = configured_launcher().launch(slot, log)
    try:
        with suppress(ConnectionError):  # it has died already; its last words follow
            process.start({"type": "start", "kind": "describe", "spec": {"given_up": search.given_up}})
        while (now := time.monotonic()) < search.ends:
            code = process.exit_code()
            messages = process.channel.poll(0.25 if code is None else 0.0)
            for message in messages:
                if message["type"] == "result":
                    ask_to_leave(process, 2.0)
                    return message
                if message["type"] == "error":
                    raise DescribeFailed(f"{message['message']}\n{message.get('traceback', '')}")
                search.hear(message, now)
            if search.hangs(now):
                search.give_up_hung()
                return None
            if code is not None and not messages:
                if not search.source:
                    break
                process.end()  # its log is complete then
                search.give_up_deadly(code, log)
                return None
    finally:
        process.end()
    raise DescribeFailed(f"The process gave no answer. Its last words:\n{log.read_text(errors='replace')[-2000:]}")
