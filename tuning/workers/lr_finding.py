"""A learning-rate test from a command: a trial process of its own, without a job, a slot or a worker."""

import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from tuning.models import Device, Host, Slot
from tuning.runner.protocol import Message
from tuning.selectors.job_kinds import KINDS
from tuning.workers.devices import cores, find_devices
from tuning.workers.launcher import ask_to_leave, configured_launcher
from tuning.workers.specs import lr_range_spec


class RangeTestFailed(Exception):
    """The process did not answer, or with an error; the message has its words."""


def find_here(plan: dict[str, Any], *, cpu: bool = False) -> dict[str, Any]:
    """Run the test that `plan` describes (services.lr_ranges) on this machine and return its answer.

    On the first GPU where there is one, unless `cpu` says otherwise; nothing is kept from using it meanwhile. Raises
    RangeTestFailed.
    """
    device = find_devices()[0]
    uuid = "cpu" if cpu else device.uuid
    slot = Slot(device=Device(host=Host(name="here"), uuid=uuid, kind=device.kind), index=0, threads=cores())
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "lr-range.log"
        process = configured_launcher().launch(slot, log, workload=plan["workload"])
        try:
            spec = lr_range_spec(plan, slot) | {"digest": None}  # whatever code is here
            process.start({"type": "start", "kind": "lr_range", "spec": spec})
            answer = _answer(process)
            ask_to_leave(process, 2.0)
        except ConnectionError:  # it has died already; its last words follow
            answer = None
        finally:
            process.end()
        if answer is None:
            words = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RangeTestFailed(f"The process gave no answer. Its last words:\n{words}")
    if answer["type"] == "error":
        raise RangeTestFailed(
            "\n".join(filter(None, (answer.get(name) for name in ("message", "remedy", "traceback"))))
        )
    return answer


def _answer(process: Any) -> Message | None:
    """The result or the error; None where the process has ended without. Raises RangeTestFailed at the time limit."""
    ends = time.monotonic() + (limit := settings.JOB_SECONDS["lr_range"])
    while time.monotonic() < ends:
        code = process.exit_code()
        messages = process.channel.poll(0.25 if code is None else 0.0)
        for message in messages:
            if message["type"] in ("result", "error"):
                answer: Message = message
                return answer
        if code is not None and not messages:
            return None
    raise RangeTestFailed(f"The test had not ended after {limit:g} s. {KINDS['lr_range'].remedy}")
