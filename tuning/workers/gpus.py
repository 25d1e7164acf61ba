"""What NVIDIA's driver says of the GPUs, through its management library: it opens no CUDA context, so a process that
asks may fork afterwards. Everything that hpweb knows of a GPU outside of trial processes comes from here."""

import logging
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")  # Linux, containers, WSL
UNSEEN_BYTES = (
    1 << 30
)  # of a GPU's memory: an idle driver holds less, and so much with no process in sight is a trial's
MPS = "nvidia-cuda-mps"  # the server that shares a GPU among processes; it computes nothing itself


@dataclass(frozen=True)
class Gpu:
    """A GPU by its UUID, as CUDA_VISIBLE_DEVICES takes it; memory in bytes."""

    uuid: str
    name: str
    memory: int


class Gpus:
    """The driver's answers. `library` is the module pynvml, or something with its functions."""

    def __init__(self, library: Any) -> None:
        self._nvml = library
        library.nvmlInit()

    def found(self) -> list[Gpu]:
        """Every GPU that this machine (or container) may use; one that does not answer is left out."""
        gpus = []
        for index in range(self._nvml.nvmlDeviceGetCount()):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                memory = int(self._nvml.nvmlDeviceGetMemoryInfo(handle).total)
                uuid, name = self._nvml.nvmlDeviceGetUUID(handle), self._nvml.nvmlDeviceGetName(handle)
            except self._nvml.NVMLError as error:
                logger.error("GPU %s does not answer and is not used: %s", index, error)
            else:
                gpus.append(Gpu(_text(uuid), _text(name), memory))
        return gpus

    def holder(self, uuid: str, is_ours: Callable[[int], bool], ours_run: bool) -> str:
        """Why a new trial must not use this GPU, in words; empty where it may.

        `is_ours` says whether a process belongs to a slot of this installation, `ours_run` whether any on this GPU
        does: in a container the driver's process numbers are not ours, and then only its absence can tell.
        """
        try:
            handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
            processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
            used = int(self._nvml.nvmlDeviceGetMemoryInfo(handle).used)
        except self._nvml.NVMLError as error:
            return f"The driver cannot reach it: {error}."
        unseen = 0
        for process in processes:
            name = process_name(process.pid)
            if name is None:
                unseen += 1
            elif not is_ours(process.pid) and not name.startswith(MPS):
                return f"Process {process.pid} ({name}), which is no trial, uses {_size(process.usedGpuMemory)}."
        if ours_run or used < UNSEEN_BYTES or (processes and not unseen):
            return ""
        return f"Processes that cannot be seen from here use {_size(used)} of its memory."

    def memory_of(self, uuid: str, pids: Collection[int]) -> int | None:
        """Bytes of the GPU's memory that processes hold together; None where the driver does not tell."""
        try:
            handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
            processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        except self._nvml.NVMLError as error:
            logger.debug("the memory of processes %s on %s is not known: %s", pids, uuid, error)
            return None
        held = [int(each.usedGpuMemory) for each in processes if each.pid in pids and each.usedGpuMemory is not None]
        return sum(held) if held else None

    def utilisation(self, uuid: str) -> float | None:
        """The share of the last moments, 0 to 1, in which the GPU computed anything; None where it is not told."""
        try:
            handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
            return float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
        except self._nvml.NVMLError as error:
            logger.debug("the utilisation of %s is not known: %s", uuid, error)
            return None


def gpus() -> Gpus | None:
    """The driver's library as this process has opened it; None on a machine without a driver."""
    return _opened(os.getpid())  # a fork opens it anew


@lru_cache(maxsize=1)
def _opened(pid: int) -> Gpus | None:
    if not any(Path(path).exists() for path in DRIVER):
        return None
    try:
        import pynvml
    except ImportError:
        logger.error("this machine has NVIDIA's driver, but nvidia-ml-py is not installed: its GPUs are not used")
        return None
    try:
        return Gpus(pynvml)
    except pynvml.NVMLError as error:
        logger.warning("NVIDIA's driver does not answer, so no GPU is used: %s", error)
        return None


def process_name(pid: int) -> str | None:
    """The name of a process, None where no such process can be seen from here."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def _size(used: int | None) -> str:
    return "memory of it" if used is None else f"{used / 2**30:.1f} GiB"


def _text(word: str | bytes) -> str:
    return word.decode() if isinstance(word, bytes) else word
