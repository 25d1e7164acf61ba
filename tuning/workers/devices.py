"""Which devices this host has. CUDA is never initialised here: a worker forks, and a fork breaks CUDA."""

import os
import platform
import shutil
import subprocess

from django.conf import settings

from tuning.services.hosts import FoundDevice


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def find_devices() -> list[FoundDevice]:
    """The host's GPUs with one slot each; without one, or where HPWEB_SLOTS asks for them, CPU slots as well."""
    gpus = _nvidia_gpus()
    slots = settings.SLOTS or (0 if gpus else cores())
    sharing = slots + len(gpus)
    threads = max(1, cores() // max(1, sharing))
    devices = [FoundDevice(uuid, name, memory, 1, threads) for uuid, name, memory in gpus]
    if slots:
        devices.append(FoundDevice("cpu", f"CPU, {cores()} cores", memory_bytes(), slots, threads))
    return devices


def _nvidia_gpus() -> list[tuple[str, str, int]]:
    """UUID, name and memory in bytes of each GPU, by nvidia-smi; empty where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    result = subprocess.run(
        [program, "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if result.returncode != 0:
        return []
    rows = [[word.strip() for word in line.split(",")] for line in result.stdout.splitlines() if line.strip()]
    return [(row[0], row[1], int(float(row[2])) * 1024 * 1024) for row in rows if len(row) == 3]


def host_facts() -> dict[str, object]:
    """What the workers page says about the host."""
    return {
        "cores": cores(),
        "memory": memory_bytes(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
