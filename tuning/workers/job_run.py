"""One job on a slot: the same process and protocol as a trial, with one answer at the end."""

import logging
import time
from pathlib import Path

from django.conf import settings

from tuning.models import Job, Slot
from tuning.runner.protocol import Message, ProtocolError
from tuning.services.errors import StaleLease
from tuning.services.jobs import complete_job, finish_job, renew_job, requeue_job
from tuning.workers.launcher import Launcher, TrialProcess
from tuning.workers.messages import text_of
from tuning.workers.specs import job_start

logger = logging.getLogger(__name__)

ERROR_TEXTS = ("message", "remedy", "traceback")


class JobRun:
    """Runs one claimed job."""

    def __init__(self, job: Job, slot: Slot, launcher: Launcher) -> None:
        self.job, self.slot, self.launcher = job, slot, launcher
        self.answered = False
        self.log = Path(settings.ARTIFACT_DIR) / "jobs" / f"job-{job.pk}-{job.fence}.log"

    def run(self) -> None:
        try:
            start = job_start(self.job)
            process = self.launcher.launch(self.slot, self.log, workload=str(self.job.args.get("workload", "")))
        except ValueError as error:
            self._fail(str(error))
            return
        except OSError as error:
            self._requeue(f"Its process could not be started: {error}.")
            return
        try:
            self._start(process, start)
            self._attend(process)
        except StaleLease as error:
            logger.warning("job %s: %s", self.job.pk, error.message)
        except ProtocolError as error:
            self._fail(f"The process broke the protocol: {error}.")
        finally:
            self.launcher.finish(process, clean=self.answered)

    def _attend(self, process: TrialProcess) -> None:
        beaten = time.monotonic()
        while True:
            code = process.exit_code()
            messages = process.channel.poll(0.1 if code is None else 0.0)
            for message in messages:
                if message["type"] == "hello":
                    process.warm = message.get("warm") is True
                if message["type"] == "result":
                    self.answered = complete_job(job_id=self.job.pk, fence=self.job.fence, answer=message)
                    return
                if message["type"] == "error":
                    self._fail("\n".join(text for name in ERROR_TEXTS if (text := text_of(message, name))))
                    return
            if code is not None and not messages:
                self._requeue(f"The process ended with exit code {code} before it answered; see {self.log.name}.")
                return
            if time.monotonic() - beaten >= settings.HEARTBEAT_SECONDS:
                beaten = time.monotonic()
                renew_job(job_id=self.job.pk, fence=self.job.fence)

    def _start(self, process: TrialProcess, message: Message) -> None:
        try:
            process.start(message)
        except ConnectionError:
            return  # its end is noticed, with its exit code

    def _fail(self, error: str) -> None:
        finish_job(job_id=self.job.pk, fence=self.job.fence, error=error or "The process gave no reason.")

    def _requeue(self, why: str) -> None:
        requeue_job(job_id=self.job.pk, fence=self.job.fence, why=why)
