"""One job on a slot: the same process and protocol as a trial, with one answer at the end."""

import logging
import time
from pathlib import Path

from django.conf import settings

from tuning.models import Job, Slot
from tuning.runner.protocol import Message
from tuning.services.errors import StaleLease
from tuning.services.jobs import finish_job, renew_job, requeue_job
from tuning.services.workloads import store_descriptions, store_split
from tuning.workers.launcher import Launcher, TrialProcess
from tuning.workers.specs import job_start

logger = logging.getLogger(__name__)


def store_result(kind: str, args: dict[str, str], result: Message) -> None:
    """Put a job's result where pages read it."""
    if kind == "describe":
        store_descriptions(entries=result["workloads"])
    elif kind == "split":
        store_split(workload=args["workload"], result=result)


class JobRun:
    """Runs one claimed job."""

    def __init__(self, job: Job, slot: Slot, launcher: Launcher) -> None:
        self.job, self.slot, self.launcher = job, slot, launcher
        self.log = Path(settings.ARTIFACT_DIR) / "jobs" / f"job-{job.pk}-{job.fence}.log"

    def run(self) -> None:
        process = self.launcher.launch(self.slot, self.log)
        try:
            process.channel.send(job_start(self.job))
            self._attend(process)
        except StaleLease as error:
            logger.warning("job %s: %s", self.job.pk, error.message)
        finally:
            process.end()

    def _attend(self, process: TrialProcess) -> None:
        beaten = time.monotonic()
        while True:
            code = process.exit_code()
            messages = process.channel.poll(0.1 if code is None else 0.0)
            for message in messages:
                if message["type"] == "result":
                    store_result(self.job.kind, self.job.args, message)
                    summary = {key: value for key, value in message.items() if key in ("sizes", "digest")}
                    finish_job(job_id=self.job.pk, fence=self.job.fence, result=summary)
                    return
                if message["type"] == "error":
                    words = "\n".join(part for part in (message["message"], message.get("traceback")) if part)
                    finish_job(job_id=self.job.pk, fence=self.job.fence, error=words)
                    return
            if code is not None and not messages:
                requeue_job(
                    job_id=self.job.pk,
                    fence=self.job.fence,
                    why=f"The process ended with exit code {code} before it answered; see its log.",
                )
                return
            if time.monotonic() - beaten >= settings.HEARTBEAT_SECONDS:
                beaten = time.monotonic()
                renew_job(job_id=self.job.pk, fence=self.job.fence)
