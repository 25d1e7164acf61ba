"""One job on a slot: the same process, protocol and care as for a trial, with one answer at the end."""

import logging
import signal
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from tuning.models import Job, Slot
from tuning.runner.protocol import Message, ProtocolError
from tuning.selectors.control import Control, job_control
from tuning.services.errors import StaleLease
from tuning.services.job_endings import complete_job, fail_overdue_job, finish_job, requeue_job
from tuning.services.jobs import note_progress, renew_job
from tuning.services.lifecycle import start_awaiting
from tuning.services.preflights import note_check
from tuning.services.reaper import SHUT_DOWN
from tuning.workers.attending import Attending
from tuning.workers.describing import Search
from tuning.workers.launcher import Launcher
from tuning.workers.messages import text_of
from tuning.workers.patience import DATABASE_AWAY, LeaseInDanger
from tuning.workers.specs import job_start

logger = logging.getLogger(__name__)

ERROR_TEXTS = ("message", "remedy", "traceback")
KILLED = -signal.SIGKILL
OTHER_CODE = (
    "The code of the workload has changed since this was asked for. Press Refresh on the workloads page and ask again."
)
OTHER_DATA = (
    "The data of the workload are not those of the study's trials. Put them back on the hosts that have its code, and "
    "run it again."
)


class JobRun(Attending):
    """Runs one claimed job. A describe goes on with another process where a workload's file has spoiled the first."""

    def __init__(self, job: Job, slot: Slot, launcher: Launcher) -> None:
        super().__init__(f"job {job.pk}")
        self.job, self.slot, self.launcher = job, slot, launcher
        self.key: dict[str, Any] = {"job_id": job.pk, "fence": job.fence}
        self.answered = False  # and the answer was stored: then the process may serve another
        self.search = Search(settings.JOB_SECONDS["describe"]) if job.kind == "describe" else None
        self.log = Path(settings.ARTIFACT_DIR) / "jobs" / f"job-{job.pk}-{job.fence}.log"

    def run(self) -> str:
        """Run the job to its end; returns its outcome in words."""
        try:
            self.start()
            while not self.outcome:
                self.step()
        except StaleLease as error:
            self.outcome = f"ended from outside: {error.message}"
            logger.info("job %s: %s", self.job.pk, self.outcome)
        except (LeaseInDanger, *DATABASE_AWAY):
            connection.close()
            self.outcome = "the database was away for too long"
        finally:
            self._let_go(clean=self.answered)
        return self.outcome

    def start(self) -> None:
        """Launch a process and tell it what to do."""
        try:
            message = job_start(self.job, self.slot, self.search.given_up if self.search else None)
            process = self.launcher.launch(self.slot, self.log, workload=str(self.job.args.get("workload", "")))
        except ValueError as error:
            self._fail(str(error))
            return
        except OSError as error:
            self._requeue(f"Its process could not be started: {error}.")
            return
        self.watch_over(process)
        try:
            process.start(message)
        except ConnectionError:
            return  # its end is noticed, with its exit code

    def _let_go(self, *, clean: bool) -> None:
        self.unwatch()  # before the process may be kept for another
        process, self.process = self.process, None
        if process is not None:
            self.launcher.finish(process, clean=clean)

    def control(self) -> Control:
        return job_control(**self.key)

    def renew_lease(self) -> None:
        renew_job(**self.key)

    def tick(self, now: float) -> None:
        super().tick(now)
        if self.search and not self.outcome and self.search.hangs(now):
            self._let_go(clean=False)
            self.search.give_up_hung()
            self.start()

    def handle(self, message: Message) -> None:
        """Take one message of the process."""
        if message["type"] == "hello":
            self.running().warm = message.get("warm") is True
        elif message["type"] == "result":
            self.answered = self._settle(lambda: complete_job(**self.key, answer=message), "answered")
            if self.job.kind == "preflight":
                start_awaiting()
        elif message["type"] == "check":
            check = {name: value for name, value in message.items() if name != "type"}
            self.patience.insist(lambda: note_check(**self.key, check=check))
        elif message["type"] == "trained":
            progress = {name: message.get(name) for name in ("number", "step")}
            self.patience.insist(lambda: note_progress(**self.key, progress=progress))
        elif message["type"] == "refused":
            self._fail(OTHER_DATA if "data_digest" in message else OTHER_CODE)
        elif message["type"] == "error":
            self._fail("\n".join(text for name in ERROR_TEXTS if (text := text_of(message, name))))
        elif self.search:
            self.search.hear(message, time.monotonic())

    def broke_protocol(self, error: ProtocolError) -> None:
        self._fail(f"The process broke the protocol: {error}.")

    def process_ended(self, code: int) -> None:
        """It was killed, or a workload's file has ended it: that file is left out then.

        SIGKILL may come from anywhere, and for want of memory: the second one in a row is taken for the file's doing.
        """
        if self.search and self.search.source and (code != KILLED or self.job.retries):
            self._let_go(clean=False)
            self.search.give_up_deadly(code, self.log)
            self.start()
            return
        self._requeue(f"The process ended with exit code {code} before it answered; see {self.log.name}.")

    def miss_deadline(self) -> None:
        """What a search has found until now is kept."""
        doing, answer = "", None
        if self.search:
            doing = f"It was importing {self.search.source}." if self.search.source else ""
            answer = self.search.partly()
        self._settle(lambda: fail_overdue_job(**self.key, answer=answer, doing=doing), "failed")

    def leave_host(self, now: float) -> None:
        """A job has no checkpoint that a wait could bring, so it goes back at once."""
        self.give_back()

    def give_back(self) -> None:
        self._requeue(SHUT_DOWN, lost=False)

    def _fail(self, error: str) -> None:
        error = error or "The process gave no reason."
        self._settle(lambda: finish_job(**self.key, error=error), "failed")

    def _requeue(self, why: str, *, lost: bool = True) -> None:
        self._settle(lambda: requeue_job(**self.key, why=why, lost=lost), "waiting")

    def _settle(self, ending: Any, outcome: str) -> bool:
        """Tell the database, however long it is away within the lease; False where the claim was lost meanwhile."""
        told: bool = self.patience.insist(ending)
        self.outcome = outcome if told else "its claim was lost"
        return told
