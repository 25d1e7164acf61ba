"""One attempt of a trial, seen from the worker: start its process, store what it says, end it when that is due.

The database decides: every write carries the claim's fence, and a claim that is no longer the newest ends the process.
A database that is away for longer than the lease ends it too, before another worker may have the trial.
"""

import errno
import logging
import signal
import time
from typing import Any

from django.conf import settings
from django.db import connection

from tuning.constraints import above_words
from tuning.models import Slot, Trial
from tuning.remedies import host_memory_remedy
from tuning.runner.protocol import Message, ProtocolError
from tuning.selectors.artifacts import stored, trial_folder
from tuning.selectors.control import Control, trial_control
from tuning.selectors.errors import NotFound
from tuning.selectors.work import attempt_of
from tuning.services.deadlines import fail_overdue
from tuning.services.endings import (
    end_attempt,
    fail_trial,
    finish_run,
    prune_trial,
    requeue_trial,
)
from tuning.services.errors import Invalid, StaleLease
from tuning.services.hosts import note_process
from tuning.services.metrics import Point
from tuning.services.offerings import note_found, note_refusal
from tuning.services.pinning import hold_to_data
from tuning.services.reaper import SHUT_DOWN
from tuning.services.reporting import CheckpointNote, forget_checkpoint, record_points, renew
from tuning.services.suggestions import answer_suggestion
from tuning.workers.attending import POLL_SECONDS, Attending
from tuning.workers.checkpoints import checkpoint_folder, tidy_checkpoints
from tuning.workers.launcher import Launcher, TrialProcess, Usage
from tuning.workers.messages import (
    checkpoint_of,
    constraints_of,
    footprint_of,
    peak_memory_of,
    point_of,
    text_of,
    value_of,
)
from tuning.workers.patience import AWAY_SECONDS, DATABASE_AWAY, LeaseInDanger
from tuning.workers.specs import trial_start

logger = logging.getLogger(__name__)

FLUSH_ROWS = 50
HELD_ROWS = 5_000  # more are not read while the database is behind: the process then waits in its next report
GAUGE_SECONDS = 1.0
EXIT_LOCKED = 75  # of tuning.runner.process: another process holds the slot's lock


class TrialRun(Attending):
    """Runs one claimed attempt. `run` loops over `step`; each step can be called on its own in a test."""

    def __init__(self, trial: Trial, slot: Slot, launcher: Launcher) -> None:
        super().__init__(f"trial {trial.pk}")
        self.trial, self.slot, self.launcher = trial, slot, launcher
        self.fence = trial.fence
        self.attempt = attempt_of(trial)
        self.log = trial_folder(trial) / f"attempt-{trial.fence}.log"
        self.points: list[Point] = []
        self.checkpoints: list[CheckpointNote] = []
        self.findings: list[Message] = []
        self.wanted = ""  # "prune" or "park" once the scheduler, "requeue" once the host asked for the end
        self.stepped = False
        self.answered = False  # with a result that settled the trial: then the process may serve another
        self.usage: Usage | None = None
        self.flushed = self.gauged = self.looked

    def run(self) -> str:
        """Run the attempt to its end; returns its outcome in words."""
        try:
            self.start()
            while not self.outcome:
                self.step()
        except StaleLease as error:
            self.outcome = f"ended from outside: {error.message}"
        except (LeaseInDanger, *DATABASE_AWAY):
            connection.close()
            self.outcome = "the database was away for too long"
        finally:
            self.unwatch()  # before the process may be kept for another trial
            code = self.process.exit_code() if self.process else None  # None: it is kept, or ended here
            if self.usage:
                self.usage.sample(time.monotonic())
            if self.process:
                self.launcher.finish(self.process, clean=self.answered)
            if not self._note_end(code):
                self.launcher.close()  # an attempt without an end must not look alive through a process that is kept
        self._tidy()
        return self.outcome

    def start(self) -> None:
        """Launch the process and tell it what to do."""
        try:
            message = trial_start(self.trial, self.slot)
        except NotFound:
            forget_checkpoint(trial_id=self.trial.pk, fence=self.fence)
            self.trial.refresh_from_db()
            message = trial_start(self.trial, self.slot)
        try:
            process = self.launcher.launch(self.slot, self.log, workload=self.trial.study.workload)
        except OSError as error:
            self._not_started(error)
            return
        self.watch_over(process)
        note_process(
            attempt_id=self.attempt.pk,
            pid=process.pid,
            boot_id=process.boot_id,
            process_started=process.started,
            log=stored(self.log),
        )
        self.usage = process.usage(self.slot)
        try:
            process.start(message)
        except ConnectionError:
            return  # its end is noticed, with its exit code, in the first step

    def control(self) -> Control:
        return trial_control(self.trial.pk, self.fence)

    def renew_lease(self) -> None:
        renew(trial_id=self.trial.pk, fence=self.fence)

    def broke_protocol(self, error: ProtocolError) -> None:
        self._fail("code_error", f"The trial process broke the protocol: {error}.")

    def read(self, process: TrialProcess) -> list[Message]:
        """What has come, unless more than enough waits for the database already."""
        if len(self.points) < HELD_ROWS:
            return process.channel.poll(POLL_SECONDS)
        time.sleep(POLL_SECONDS)
        return []

    def tick(self, now: float) -> None:
        """What is due at `now` (monotonic seconds)."""
        if (self.points or self.checkpoints) and (
            now - self.flushed >= settings.FLUSH_SECONDS or len(self.points) >= FLUSH_ROWS
        ):
            self.flush()
        if self.usage and now - self.gauged >= GAUGE_SECONDS:
            self.gauged = now
            self.usage.sample(now)
        super().tick(now)

    def leave_host(self, now: float) -> None:
        """Ask for a checkpoint; what has done nothing yet that a wait could save goes back at once."""
        if not self.stepped:
            self.give_back()
            return
        self.wanted = "requeue"
        self.grace_ends = now + settings.GRACE_SECONDS
        self._send({"type": "pause"})

    def give_back(self) -> None:
        self._requeue(SHUT_DOWN, lost=False)

    def miss_deadline(self) -> None:
        """The trial has had its time: what it reported until now is kept, and says how far it came."""
        if self.flush(final=True) and self.patience.insist(
            lambda: fail_overdue(trial_id=self.trial.pk, fence=self.fence, facts=self._finding_facts())
        ):
            self.outcome = "failed"

    def handle(self, message: Message) -> None:
        """Take one message of the process."""
        kind = message["type"]
        if kind == "step":
            self.stepped = True
            self.points.append(point_of(message))
        elif kind == "checkpoint":
            self.checkpoints.append(checkpoint_of(message, checkpoint_folder(self.trial)))
        elif kind == "suggest":
            self._suggest(message)
        elif kind == "finding":
            self.findings.append({key: value for key, value in message.items() if key != "type"})
        elif kind == "result":
            self.result(message)
        elif kind == "error":
            words = " ".join(word for word in (text_of(message, "message"), text_of(message, "remedy")) if word)
            code, traceback = text_of(message, "reason_code"), text_of(message, "traceback")
            if self.flush(final=True):
                self._fail(code, words, traceback)
        elif kind == "refused":
            self._refused(message)
        elif kind == "data":
            self._hold_to_data(message)
        elif kind == "hello":
            self.running().warm = message.get("warm") is True
        else:
            self._fail("code_error", f"The trial process sent a message of unknown type {kind!r}.")

    def result(self, message: Message) -> None:
        """The process has finished what it was told: settle the trial. Raises ProtocolError."""
        value, constraints = value_of(message), constraints_of(message)
        if self.usage:
            self.usage.note_memory(peak_memory_of(message))
        if not self.flush(final=True):
            return
        facts = {
            key: value
            for key, value in message.items()
            if key not in ("type", "value", "state", "constraints", "stopped")
        }
        if self.findings:
            facts["findings"] = self.findings
        key: dict[str, Any] = {"trial_id": self.trial.pk, "fence": self.fence}
        if message.get("state") == "infeasible":
            reason = f"infeasible: {above_words(self.trial.study.constraints, footprint_of(message))}"
            self._settle(
                lambda: prune_trial(**key, reason=reason, constraints=constraints, facts=facts, booked=False)
            )
        elif message.get("state") == "pruned":
            self._settle(
                lambda: prune_trial(**key, reason="pruned by the objective", constraints=constraints, facts=facts)
            )
        elif self.wanted == "requeue" and message.get("stopped"):
            self.give_back()
        elif self.wanted == "prune" and message.get("stopped"):
            self._settle(lambda: prune_trial(**key, reason="stopped by the scheduler", facts=facts))
        else:
            self._settle(lambda: finish_run(**key, value=value, facts=facts, constraints=constraints))
        self.answered = True

    def process_ended(self, code: int) -> None:
        """The process is gone without a result: killed ones go back to waiting, others have failed."""
        if not self.flush(final=True):
            return
        if code == EXIT_LOCKED:
            self._requeue("A process that was ended before still holds the slot.", lost=False)
        elif code == -signal.SIGKILL and self.usage and self.usage.out_of_memory():
            remedy = host_memory_remedy(self.trial.params)
            self._fail("out_of_memory", f"The host ran out of memory, and the kernel ended the trial process. {remedy}")
        elif code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            self._requeue(f"The trial process was killed ({name}).", lost=True)
        else:
            tail = self._log_tail()
            self._fail(
                "code_error",
                f"The trial process ended with exit code {code} before the training was over. "
                f"{'Its last words are below.' if tail else 'It printed nothing.'}",
                tail,
            )

    def flush(self, *, final: bool = False) -> bool:
        """Store points and checkpoints that have come; `final` waits for a database that is away.

        False where they cannot be stored at all: then the trial has FAILED for that.
        """
        while self.points or self.checkpoints:
            try:
                decision = self.patience.ask(
                    lambda: record_points(
                        trial_id=self.trial.pk, fence=self.fence, points=self.points, checkpoints=self.checkpoints
                    )
                )
            except Invalid as error:
                self.points, self.checkpoints = [], []
                self._fail("code_error", f"What the training reported cannot be stored: {error.message}")
                return False
            self.flushed = time.monotonic()
            if decision is not None:
                self.points, self.checkpoints = [], []
                self._decide(decision)
            elif final:
                time.sleep(AWAY_SECONDS)
            else:
                break
        return True

    def _decide(self, decision: str) -> None:
        if decision == "continue" or self.wanted:
            return
        self.wanted = "park" if decision == "pause" else "prune"
        self._send({"type": "pause" if decision == "pause" else "stop"})

    def _suggest(self, message: Message) -> None:
        reply: Message = {"type": "suggest_reply", "id": message.get("id")}
        name, distribution = text_of(message, "name"), message.get("distribution")
        try:
            (reply["value"],) = self.patience.insist(
                lambda: (
                    answer_suggestion(trial_id=self.trial.pk, fence=self.fence, name=name, distribution=distribution),
                )
            )
        except Invalid as error:
            reply["error"] = error.message
        self._send(reply)

    def _hold_to_data(self, message: Message) -> None:
        key: dict[str, Any] = {"trial_id": self.trial.pk, "fence": self.fence, "host": self.slot.device.host}
        digest = text_of(message, "digest")
        go = self.patience.insist(lambda: hold_to_data(**key, digest=digest))
        self._send({"type": "data_reply", "id": message.get("id"), "go": go})

    def _refused(self, message: Message) -> None:
        """The process has other code or data than the study: it ends, and the trial goes back to waiting.

        What it may have kept from an earlier job says nothing of what its host has now: a new process will tell.
        """
        study, host = self.trial.study, self.slot.device.host
        if "data_digest" not in message:
            note_refusal(host=host, workload=study.workload, digest=text_of(message, "digest"))
            self._requeue("This host has other code than the study was made with.", lost=False)
            return
        found, error = text_of(message, "data_digest"), text_of(message, "error")
        if message.get("kept") is not True:
            missing = "" if found else "it names no files as its data, and the study is pinned to some"
            key: dict[str, Any] = {"host": host, "workload": study.workload, "code": study.workload_digest}
            note_found(**key, digest=found, error=error or missing)
        self._requeue(
            "This host cannot read the data that the study was made with."
            if error
            else "The trial process had other data than the study was made with.",
            lost=False,
        )

    def _settle(self, ending: Any) -> None:
        self.outcome = self.patience.insist(ending).lower()

    def _not_started(self, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._fail("disk_full", f"The trial was not started: {error}. Free space in the artifact folder.")
        else:
            self._requeue(f"The trial process could not be started: {error}.", lost=True)

    def _fail(self, reason_code: str, reason: str, traceback: str = "") -> None:
        self._settle(
            lambda: fail_trial(
                trial_id=self.trial.pk,
                fence=self.fence,
                reason_code=reason_code,
                reason=reason,
                traceback=traceback,
                facts=self._finding_facts(),
            )
        )

    def _finding_facts(self) -> dict[str, Any]:
        return {"findings": self.findings} if self.findings else {}

    def _requeue(self, why: str, *, lost: bool) -> None:
        self._settle(lambda: requeue_trial(trial_id=self.trial.pk, fence=self.fence, why=why, lost=lost))
        self.outcome = why

    def _send(self, message: Message) -> None:
        try:
            self.running().channel.send(message)
        except ConnectionError:
            return  # its end is noticed, with its exit code, in the next step

    def _log_tail(self) -> str:
        self.running().end()
        return self.log.read_bytes()[-4_000:].decode("utf-8", "replace") if self.log.exists() else ""

    def _tidy(self) -> None:
        try:
            tidy_checkpoints(self.trial)
        except DATABASE_AWAY:
            connection.close()  # they stay until the study is deleted

    def _note_end(self, code: int | None) -> bool:
        try:
            end_attempt(
                attempt_id=self.attempt.pk,
                outcome=self.outcome or "the worker failed",
                exit_code=code,
                peak_memory=self.usage.peak_memory if self.usage else None,
                utilisation=self.usage.utilisation if self.usage else None,
            )
        except DATABASE_AWAY:
            connection.close()
            logger.warning("attempt %s: its end could not be noted; the reaper will", self.attempt.pk)
            return False
        return True
