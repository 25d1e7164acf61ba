"""Which devices this host has, and which of them a new trial must leave alone.

CUDA is never initialised here: a worker forks, and a fork breaks CUDA.
"""

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from tuning.models import Device, Slot
from tuning.models.host import NO_DEVICE
from tuning.services.hosts import FoundDevice
from tuning.workers.gpus import gpus
from tuning.workers.processes import carries
from tuning.workers.slots import MARK, lock_folder, process_runs

# Where a host's short jobs run (selectors.job_kinds): a thread each beside the trials, and never on a GPU.
SHORT_JOBS = (Slot.Lane.QUICK, Slot.Lane.BULK)
PLACES = FoundDevice(NO_DEVICE, "Short jobs", None, len(SHORT_JOBS), 1, SHORT_JOBS)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def find_devices() -> list[FoundDevice]:
    """The host's GPUs with HPWEB_TRIALS_PER_GPU slots each; without one, or where HPWEB_SLOTS asks for them, CPU slots.

    The slots share the cores evenly.
    """
    driver = gpus()
    found = driver.found() if driver else []
    slots = settings.SLOTS or (0 if found else cores())
    sharing = slots + len(found) * settings.TRIALS_PER_GPU
    threads = max(1, cores() // max(1, sharing))
    devices = [FoundDevice(gpu.uuid, gpu.name, gpu.memory, settings.TRIALS_PER_GPU, threads) for gpu in found]
    if slots:
        devices.append(FoundDevice("cpu", f"CPU, {cores()} cores", memory_bytes(), slots, threads))
    return devices


def trouble_with(device: Device, slot_ids: Sequence[int]) -> str:
    """Why a device takes no new trial now, in words: the disk is full, or a process that is no trial holds the device.

    `slot_ids` are the device's slots. A CPU is always there to be shared; short jobs write no checkpoints.
    """
    if device.uuid == NO_DEVICE:
        return ""
    if (trouble := disk_trouble()) or device.uuid == "cpu":
        return trouble
    driver = gpus()
    if driver is None:
        return "NVIDIA's driver does not answer."
    return driver.holder(device.uuid, is_ours, any(process_runs(slot_id) for slot_id in slot_ids))


def disk_trouble() -> str:
    """Why no trial may start here, in words: it would fail at its first checkpoint, and so would all after it."""
    folder = Path(settings.ARTIFACT_DIR)
    while not folder.exists():
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free / 2**20
    except OSError as error:
        return f"The disk with the checkpoints does not answer: {error}."
    if free >= settings.FREE_DISK_MB:
        return ""
    return (
        f"The disk with the checkpoints has {free:,.0f} MB left of the {settings.FREE_DISK_MB:,.0f} MB that must be "
        f"free for a trial to start (HPWEB_FREE_DISK_MB). Make room in {settings.ARTIFACT_DIR}; trials then start by "
        "themselves."
    )


def is_ours(pid: int) -> bool:
    """Whether a process belongs to a slot of this folder's installation."""
    return carries(pid, MARK, str(lock_folder()))


def host_facts() -> dict[str, object]:
    """What the workers page says about the host."""
    return {
        "cores": cores(),
        "memory": memory_bytes(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
