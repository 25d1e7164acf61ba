"""The kind "command": one trial of a program that this host's administrator allows (tuning/training/programs.py).

The program gets its parameters by arguments, by environment and by a JSON file, and reports over a Unix socket
(tuning/client.py knows how) or by JSON lines that it prints. A request to end reaches a client with its next
report; a program that only prints, or that does not answer in time, gets SIGTERM and then SIGKILL.
"""

from __future__ import annotations

import json
import math
import os
import selectors
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuning.runner.command_process import ProgramProcess
from tuning.runner.command_reports import (
    CheckpointReport,
    LineReader,
    Report,
    ReportError,
    StepReport,
    ValueReport,
    printed_report,
    sent_report,
)
from tuning.runner.command_socket import Listener
from tuning.runner.failures import Failure, NotFiniteObjective, ProgramFailed, out_of_memory_in
from tuning.runner.inbox import Inbox
from tuning.runner.spec import read
from tuning.sealed import MaskedStream
from tuning.training.catalogue import Catalogue
from tuning.training.programs import Program, ValueRefused

POLL_SECONDS = 0.05
READ_BYTES = 1 << 16
TAIL_BYTES = 16_384
TAIL_LINES = 40
AFTER_SIGTERM_SECONDS = 5.0  # for a client that did not heed the decision in its grace
DRAIN_SECONDS = 2.0
LONGEST_VARIABLE = 100_000  # the kernel refuses one of 128 KiB
HIDDEN = ("HPWEB_WORKLOADS", "HPWEB_WORKLOAD_DIR", "HPWEB_PROGRAMS")
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def run_command(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Run the program once and return {"value", "state", "stopped", "constraints", "seconds"}.

    Fields of `spec`: workload, trial; optional: params, seed, resource, resume_step, metric, fence, checkpoint_dir
    (for the notes that make a checkpoint an accepted one) and program_dir (the program's own files).
    """
    program = catalogue.program(read(spec, "workload", str))
    with tempfile.TemporaryDirectory(prefix="hpweb-") as folder:
        run = CommandRun(program, spec, inbox, Path(folder))
        return run.run()


class CommandRun:
    """One run of a program, from its start to its end."""

    def __init__(self, program: Program, spec: Mapping[str, Any], inbox: Inbox, folder: Path) -> None:
        self.program, self.inbox = program, inbox
        self.params: dict[str, Any] = read(spec, "params", dict, {})
        self.trial: int = read(spec, "trial", int)
        self.seed: int = read(spec, "seed", int, 0)
        self.fence: int = read(spec, "fence", int, 0)
        self.resource: int | None = read(spec, "resource", int, None)
        self.resume_step: int = read(spec, "resume_step", int, 0) if program.resume else 0
        self.metric: str = read(spec, "metric", str, None) or program.metric
        self.notes = Path(read(spec, "checkpoint_dir", str)) if program.resume else None
        self.own = Path(read(spec, "program_dir", str)) if program.resume else None
        self.folder = folder
        self.value = ValueReport(None)
        self.request: str | None = None  # "stop" or "pause", from the worker
        self.heeded = False  # whether the program knows of the request
        self.terminate_at = self.kill_at = math.inf
        self.refusal: ReportError | None = None
        self._errors = b""
        self._lines = LineReader()
        self._masked: dict[Any, MaskedStream] = defaultdict(MaskedStream)  # one a pipe: two write lines by turns

    def run(self) -> dict[str, Any]:
        started = time.perf_counter()
        with Listener(self.folder / "socket") as listener, selectors.DefaultSelector() as selector:
            process = self._start(listener)
            try:
                code = self._attend(process, listener, selector)
            finally:
                process.close()
        if self.refusal is not None:
            raise self._failed(f"{_sentence(str(self.refusal))}", code)
        if self.request is not None and self.heeded:
            return self._answer("stopped", self.request, started)
        if code != 0:
            raise self._failure(code)
        if self.value.value is not None and not math.isfinite(self.value.value):
            raise NotFiniteObjective(f"the program told {self.value.value} as its value")
        return self._answer("complete", None, started)

    def _answer(self, state: str, request: str | None, started: float) -> dict[str, Any]:
        return {
            "value": self.value.value if state == "complete" else None,
            "state": state,
            "stopped": True if request == "stop" else request or False,
            "constraints": list(self.value.constraints),
            "seconds": time.perf_counter() - started,
        }

    def _start(self, listener: Listener) -> ProgramProcess:
        params_file = self.folder / "params.json"
        params_file.write_text(json.dumps(self.params))
        facts = {
            "trial": self.trial,
            "seed": self.seed,
            "resource": self.resource,
            "resume_step": self.resume_step,
            "checkpoint_dir": None if self.own is None else str(self.own),
        }
        for folder in (self.own, self.notes):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        built_in = {**facts, "python": sys.executable, "params_file": str(params_file)}
        try:
            arguments = self.program.arguments(self.params, built_in)
            own = self.program.variables(self.params, built_in)
        except ValueRefused as error:
            raise self._refused(str(error)) from error
        environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        document = json.dumps({**facts, "params": self.params, "metric": self.metric})
        environment |= {
            "HPWEB_SOCKET": str(listener.path),
            "HPWEB_PARAMS_FILE": str(params_file),
            **{f"HPWEB_{name.upper()}": str(value) for name, value in facts.items() if value is not None},
            **({"HPWEB_PARAMS": json.dumps(self.params)} if len(document) < LONGEST_VARIABLE else {}),
            **own,
        }
        listener.greeting = document
        try:
            return ProgramProcess(
                arguments,
                folder=self.program.folder,
                environment=environment,
                read_stdout=self.program.metrics_from == "stdout",
            )
        except (OSError, ValueError) as error:
            raise self._refused(f"The program {arguments[0]} cannot be started: {error}.") from error

    def _attend(self, process: ProgramProcess, listener: Listener, selector: selectors.BaseSelector) -> int:
        """Pass on what the program says until it has ended; returns its exit code."""
        pipes = [pipe for pipe in (process.process.stdout, process.process.stderr) if pipe is not None]
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ, pipe)
        selector.register(self.inbox.channel, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ, listener)
        watch = _watched(process.process.pid)
        if watch is not None:
            selector.register(watch, selectors.EVENT_READ)
        try:
            while (code := process.ended()) is None:
                for key, _ in selector.select(POLL_SECONDS if watch is None else 0.25):
                    if key.data is listener:
                        if (connection := listener.accept()) is not None:
                            selector.register(connection, selectors.EVENT_READ, connection)
                    elif key.data in pipes:
                        if not self._read(key.data, process):
                            selector.unregister(key.data)
                    elif key.data is not None:
                        messages = key.data.receive()
                        for message in messages:
                            key.data.send(self._reply(message))
                        if key.data.closed:
                            selector.unregister(key.data)
                            key.data.close()
                self._see_to_the_request(process, listener)
        finally:
            if watch is not None:
                os.close(watch)
        process.kill()  # what it left in the background; the end of a process is waitpid, never the end of a pipe
        deadline = time.monotonic() + DRAIN_SECONDS
        for pipe in pipes:
            os.set_blocking(pipe.fileno(), False)
            while time.monotonic() < deadline and self._read(pipe, process):
                continue
            self._write(pipe, process, self._masked[pipe].rest())
        if rest := self._lines.rest():
            self._printed(rest, process)
        return code

    def _read(self, pipe: Any, process: ProgramProcess) -> bool:
        """Copy what there is to the log, without numbers of the test set; False at the end of the pipe."""
        try:
            data = os.read(pipe.fileno(), READ_BYTES)
        except BlockingIOError:  # somebody still holds it, with nothing to say
            return False
        self._write(pipe, process, self._masked[pipe].take(data))
        if pipe is process.process.stdout:
            for line in self._lines.lines(data):
                self._printed(line, process)
        return bool(data)

    def _write(self, pipe: Any, process: ProgramProcess, data: bytes) -> None:
        target = 1 if pipe is process.process.stdout else 2
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]
        if target == 2:
            self._errors = (self._errors + data)[-TAIL_BYTES:]

    def _printed(self, line: bytes, process: ProgramProcess) -> None:
        if self.refusal is not None:
            return
        try:
            report = printed_report(line)
            if report is not None:
                self._take(report)
        except ReportError as error:
            self.refusal = error
            process.terminate()
            self.kill_at = time.monotonic() + self.program.grace_seconds

    def _reply(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Take what the client says, and answer with the decision or with what is wrong."""
        try:
            report = sent_report(message)
            if report is not None:
                self._take(report)
        except ReportError as error:
            return {"error": str(error)}
        request = self.inbox.request()
        if request is not None:
            self.request, self.heeded = request, True
            return {"decision": request}
        reached = isinstance(report, StepReport) and self.resource is not None and report.step >= self.resource
        return {"decision": "stop" if reached else "continue"}

    def _take(self, report: Report) -> None:
        channel = self.inbox.channel
        if isinstance(report, StepReport):
            metrics = dict(report.metrics)
            channel.send({"type": "step", "step": report.step, "metrics": metrics, "wall": time.time()})
        elif isinstance(report, ValueReport):
            self.value = report
        elif self.notes is None:
            raise ReportError("a checkpoint was reported, but the host's file of programs lacks resume = true")
        elif isinstance(report, CheckpointReport):
            note = self.notes / f"program-{self.fence}-{report.step}.json"
            note.write_text(json.dumps({"step": report.step}))
            channel.send({"type": "checkpoint", "kind": "last", "step": report.step, "path": str(note)})

    def _see_to_the_request(self, process: ProgramProcess, listener: Listener) -> None:
        """Once the worker wants the end: a client's patience, SIGTERM, SIGKILL, each in its time."""
        now = time.monotonic()
        request = self.inbox.request()
        if request is not None and self.terminate_at == self.kill_at == math.inf:
            self.request = request
            self.terminate_at = now + (self.program.grace_seconds if listener.met else 0.0)
        if now >= self.terminate_at:
            self.heeded, self.terminate_at = True, math.inf
            self.kill_at = now + (AFTER_SIGTERM_SECONDS if listener.met else self.program.grace_seconds)
            process.terminate()
        if now >= self.kill_at:
            self.kill_at = math.inf
            process.kill()

    def _failure(self, code: int) -> BaseException:
        """What an end with `code` means; a kill from outside ends this process in the same way."""
        if code < 0 and -code in FROM_OUTSIDE:
            sys.stderr.write(f"the program was killed ({_signal_name(-code)})\n")
            sys.stderr.flush()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGKILL)  # the worker takes it for what it is: a process that was lost
        name = Path(self.program.executable).name
        ended = f"crashed ({_signal_name(-code)})" if code < 0 else f"ended with exit code {code}"
        last = next((line for line in reversed(self._tail()) if line.strip()), "")
        words = f": {last.strip()[:500]}" if last else " and wrote nothing to stderr"
        return self._failed(_sentence(f"{self.program.name} ({name}) {ended}{words}"), code)

    def _failed(self, message: str, code: int) -> ProgramFailed:
        text = "\n".join(self._tail())
        if out_of_memory_in(text):
            return ProgramFailed(Failure.out_of_memory(message, text, self.params))
        remedy = "Its last lines on stderr are below, everything that it printed is in the log."
        return ProgramFailed(Failure("code_error", message, text, remedy if text else "See the log."))

    def _refused(self, message: str) -> ProgramFailed:
        remedy = "Correct the study's space, or the host's file of programs."
        return ProgramFailed(Failure("code_error", _sentence(message), "", remedy))

    def _tail(self) -> list[str]:
        return self._errors.decode("utf-8", "replace").splitlines()[-TAIL_LINES:]


def _watched(pid: int) -> int | None:
    """A descriptor that becomes readable at the end of the process; None where the kernel has none."""
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
