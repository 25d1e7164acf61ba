"""Looking for workloads from a command, without a slot: the demo and `tune` need them before a worker runs."""

import tempfile
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from tuning.models import Device, Host, Slot, Workload
from tuning.selectors.offerings import host_named
from tuning.services.workloads import store_descriptions
from tuning.workers.launcher import ask_to_leave, configured_launcher

DESCRIBE_SECONDS = 120.0


class DescribeFailed(Exception):
    """The process that looks for workloads did not answer; the message has its last words."""


def describe_here() -> list[Workload]:
    """Start a trial process of kind describe on this machine and store what it finds. Raises DescribeFailed."""
    slot = Slot(device=Device(host=Host(name="here"), uuid="cpu", kind="CPU"), index=0, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "describe.log"
        process = configured_launcher().launch(slot, log)
        try:
            with suppress(ConnectionError):  # it has died already; its last words follow
                process.start({"type": "start", "kind": "describe", "spec": {}})
            waited = 0.0
            while waited < DESCRIBE_SECONDS:
                for message in process.channel.poll(0.25):
                    if message["type"] == "result":
                        ask_to_leave(process, 2.0)
                        return store_descriptions(entries=message["workloads"], host=host_named(settings.HOST_NAME))
                    if message["type"] == "error":
                        raise DescribeFailed(f"{message['message']}\n{message.get('traceback', '')}")
                if process.exit_code() is not None and process.channel.eof:
                    break
                waited += 0.25
        finally:
            process.end()
        raise DescribeFailed(f"The process gave no answer. Its last words:\n{log.read_text(errors='replace')[-2000:]}")
