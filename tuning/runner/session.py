"""One start after another: run the job of its kind and answer with exactly one result or error."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tuning.runner.command import run_command
from tuning.runner.describe import describe
from tuning.runner.failures import Failure, JobError
from tuning.runner.finalise import finalise
from tuning.runner.inbox import Inbox
from tuning.runner.lr_range import range_tests
from tuning.runner.objective import run_objective
from tuning.runner.output import Output
from tuning.runner.pins import DataPin, OtherData
from tuning.runner.preflight import run_preflight
from tuning.runner.protocol import Channel, ChannelClosed, ProtocolError
from tuning.runner.split import split
from tuning.runner.train import run_training
from tuning.training.catalogue import Catalogue, UnknownWorkload
from tuning.training.digests import PatternError
from tuning.training.surroundings import Surroundings, forget_peak, free_memory, loaded_code, resident_memory

Job = Callable[[dict[str, Any], Catalogue, Inbox], dict[str, Any]]

KINDS: dict[str, Job] = {
    "command": run_command,
    "describe": describe,
    "finalise": finalise,
    "lr_range": range_tests,
    "objective": run_objective,
    "preflight": run_preflight,
    "split": split,
    "train": run_training,
}


# After these the process may hold test data, which no trial may ever find in its memory.
SEALED = ("finalise", "preflight", "split")
NAMING_FILES = ("command", "objective")  # whose data are the files that they name


class Session:
    """The life of a trial process after its hello."""

    def __init__(self, channel: Channel, catalogue: Catalogue) -> None:
        self._channel = channel
        self._catalogue = catalogue
        self._inbox = Inbox(channel, self._rested)
        self._output = Output()
        self._surroundings = Surroundings()
        self._unfit = ""
        self._first = True
        self._files: dict[str, list[int]] = {}
        self._data: dict[str, str] = {}  # what a workload's data files were when this process first ran it

    def serve(self) -> None:
        """Serve starts until the worker says exit.

        Raises:
            ChannelClosed: the worker is gone.
        """
        while (start := self._inbox.next_start()) is not None:
            self._output.begin(self._channel.take_descriptor() if start.get("log") else None)
            forget_peak()
            began = time.time_ns()
            self._load(start)
            self._surroundings.note()
            answer = self._answer(start)
            self._output.end()
            try:
                self._channel.send(answer)
            except ProtocolError as error:  # a result that no line can hold
                answer = {"type": "error", **Failure.of(error, {}).to_json()}
                self._channel.send(answer)
            kind = answer["type"]
            del answer
            self._clean_up(start.get("kind"), kind)
            self._note_code(began)

    def _answer(self, start: dict[str, Any]) -> dict[str, Any]:
        spec = start.get("spec", {})
        if not isinstance(spec, dict):
            spec = {}
        try:
            job = KINDS.get(start.get("kind", ""))
            if job is None:
                raise JobError(f"the kind {start.get('kind')!r} is unknown; there are {', '.join(KINDS)}")
            if pinned := spec.get("digest"):
                found = self._catalogue.digest_of(str(spec.get("workload")), str(start["kind"]))
                if found != pinned:
                    return {"type": "refused", "digest": found}
            self._hold_to_files(str(start["kind"]), spec)
            return {"type": "result", **job(spec, self._catalogue, self._inbox)}
        except ChannelClosed:
            raise
        except OtherData as other:
            kept = not self._first and start["kind"] != "command"
            return {"type": "refused", "data_digest": other.digest, "error": other.error, "kept": kept}
        except (Exception, SystemExit) as error:  # whatever the user's code raises is the trial's outcome
            return {"type": "error", **Failure.of(error, spec).to_json()}

    def _hold_to_files(self, kind: str, spec: dict[str, Any]) -> None:
        """Compare the files that a program or a function names; a training compares the examples that it has read."""
        pinned = spec.get("data_digest")
        if pinned is None or kind not in NAMING_FILES:
            return
        name = str(spec.get("workload"))
        try:
            found = self._catalogue.files_digest(name, kind)
        except PatternError as error:
            if pinned:
                raise OtherData("", str(error)) from error
            raise
        if kind == "objective" and self._data.setdefault(name, found) != found:
            raise OtherData(found)  # its module may still hold what it had read before
        DataPin(pinned, self._inbox).hold(lambda: found)

    def _clean_up(self, kind: Any, answer: str) -> None:
        """Put back what the job changed and give its memory back; whatever is left makes this process unfit."""
        left = self._surroundings.restore() or free_memory()
        if answer == "error":
            left = "the job failed"
        elif answer == "refused":
            left = "it may hold other code or data than a study is pinned to"
        elif kind in SEALED:
            left = f"a job of kind {kind} reads test data"
        self._unfit = self._unfit or left
        if self._first:  # what has been imported stays anyway; without it a collection takes 5 ms instead of 200
            self._first = False
            gc.freeze()

    def _rested(self) -> dict[str, Any]:
        """The fields of the answer to a rest."""
        return {
            "reusable": not self._unfit,
            "why": self._unfit,
            "memory": resident_memory(),
            "files": self._files,
        }

    def _load(self, start: dict[str, Any]) -> None:
        """Import the workload's module before the surroundings are noted: what it sets at its top belongs to it.

        The spec says in which source it was seen last, so that a file that hangs holds up no trial of another.
        """
        spec = start.get("spec")
        name = spec.get("workload") if isinstance(spec, dict) else None
        if isinstance(name, str):
            source = spec.get("source") if isinstance(spec, dict) else None
            with suppress(UnknownWorkload):  # which the job tells
                self._catalogue.find(name, source if isinstance(source, str) else "")

    def _note_code(self, began: int) -> None:
        """Note in which state files were loaded; one written during the job may have been loaded before that."""
        for path, state in loaded_code().items():
            self._files.setdefault(path, state if state[0] <= began else [0, 0])
