"""Random state and devices: what must be equal for two trainings to give the same numbers."""

from __future__ import annotations

import os
import platform
import random
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


def prepare_device(name: str, *, threads: int, deterministic: bool) -> torch.device:
    """Return the device, with torch's thread count and determinism set for the whole process.

    Raises:
        DeviceError: no CUDA device is visible to this process.
    """
    if name not in ("cpu", "cuda"):
        raise DeviceError(f"device {name!r} is unknown; it is 'cpu' or 'cuda'")
    if name == "cuda" and not torch.cuda.is_available():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise DeviceError(f"no CUDA device is visible to this process (CUDA_VISIBLE_DEVICES is {visible!r})")
    torch.set_num_threads(max(1, threads))
    if deterministic:  # cuBLAS reads it when its first handle is made, and torch insists on it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if torch.are_deterministic_algorithms_enabled() != deterministic:  # the call imports a second's worth of torch
        torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """Return what the maker calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


class PeakMemory:
    """The most memory (bytes) since the object was made: of the device, or of this process on the CPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with suppress(OSError):  # not Linux: the mark stays that of the process's whole life
                Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from now

    def read(self) -> int:
        """Return the peak so far."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        try:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if platform.system() == "Darwin" else peak * 1024


def seed_everything(seed: int) -> torch.Generator:
    """Seed python, numpy and torch (every device); return the generator of the batches' order, seeded too."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def random_state(generator: torch.Generator, device: torch.device) -> dict[str, Any]:
    """Return the state of every random generator, in containers that torch loads with weights_only."""
    version, internal, gauss = random.getstate()
    algorithm, words, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(internal), gauss],
        "numpy": [
            algorithm,
            torch.from_numpy(np.asarray(words, dtype=np.int64)),
            position,
            has_gauss,
            cached,
        ],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "batches": generator.get_state(),
    }


def restore_random_state(state: dict[str, Any], generator: torch.Generator, device: torch.device) -> None:
    """Set every random generator to what `random_state` returned."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    algorithm, words, position, has_gauss, cached = state["numpy"]
    np.random.set_state((algorithm, words.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
    generator.set_state(state["batches"])
