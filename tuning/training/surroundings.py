"""What a job may have changed in its process beside its own objects, put back before the next job.

Kept from one job to the next: imported modules and what they hold in their globals (the figures that matplotlib has
open, a cache of a library). What the workload's own module sets when it is imported is noted with the rest and stays;
what a module sets that a job imports later, inside a function, is undone with the job. A job that leaves threads or
processes behind, or a CUDA context that reports errors, makes the process unfit for another.
"""

from __future__ import annotations

import ctypes
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE)
CUDNN = ("enabled", "benchmark", "deterministic", "allow_tf32")
DETERMINISTIC: Any = torch.utils.deterministic
THREAD_SECONDS = 0.05  # for a thread that is just ending


class Surroundings:
    """A snapshot of the process; `restore` goes back to the newest."""

    def __init__(self) -> None:
        self.note()

    def note(self) -> None:
        """Take the process as it is now for what `restore` puts back."""
        self._warnings = _hold_warnings()
        self._environment = dict(os.environ)
        self._folder = os.getcwd()
        self._mask = _umask()
        self._signals = {number: signal.getsignal(number) for number in SIGNALS}
        self._path, self._arguments = list(sys.path), list(sys.argv)
        self._interpreter = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr", "excepthook")}
        self._recursion, self._thread_hook = sys.getrecursionlimit(), threading.excepthook
        self._hooks = (sys.gettrace(), sys.getprofile())
        self._collector = (gc.isenabled(), gc.get_threshold())
        self._temporary, self._timeout = tempfile.tempdir, socket.getdefaulttimeout()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._logging = _loggers()
        printing: dict[str, Any] = {**np.get_printoptions()}
        printing.pop("override_repr", None)
        self._numpy = (np.geterr(), np.geterrcall(), printing)
        self._torch = _torch_settings()
        self._threads = set(threading.enumerate())

    def restore(self) -> str:
        """Put everything back; returns what cannot be put back, in words, or an empty text."""
        os.environ.clear()
        os.environ.update(self._environment)
        os.chdir(self._folder)
        os.umask(self._mask)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._signals.items():
            if handler is not None:
                signal.signal(number, handler)
        sys.path[:], sys.argv[:] = self._path, self._arguments
        for name, value in self._interpreter.items():
            setattr(sys, name, value)
        sys.setrecursionlimit(self._recursion)
        threading.excepthook = self._thread_hook
        sys.settrace(self._hooks[0])
        sys.setprofile(self._hooks[1])
        (gc.enable if self._collector[0] else gc.disable)()
        gc.set_threshold(*self._collector[1])
        tempfile.tempdir = self._temporary
        socket.setdefaulttimeout(self._timeout)
        with suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, self._locale)
        self._warnings.__exit__(None, None, None)
        _restore_loggers(self._logging)
        np.seterr(**self._numpy[0])
        np.seterrcall(self._numpy[1])
        np.set_printoptions(**self._numpy[2])
        _restore_torch(self._torch)
        return self._left_behind()

    def _left_behind(self) -> str:
        for thread in set(threading.enumerate()) - self._threads:
            thread.join(THREAD_SECONDS)
            if thread.is_alive():
                return f"the job left the thread {thread.name!r} running"
        if _has_children():
            return "the job left a process running"
        if sys.__stdout__ is None or sys.__stdout__.closed or sys.__stderr__ is None or sys.__stderr__.closed:
            return "the job closed its standard output"
        return ""


def free_memory() -> str:
    """Give the last job's memory back, on the device too; returns what is wrong with the device, or an empty text."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_initialized():
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        except RuntimeError as error:  # an illegal access poisons the context for good
            return f"the device reports an error: {error}"
    with suppress(AttributeError, OSError):  # only glibc keeps freed memory, and only it has the function
        ctypes.CDLL(None).malloc_trim(0)
    return ""


def forget_peak() -> None:
    """Let the high-water mark of this process's memory start again from now."""
    with suppress(OSError):  # not Linux: it stays that of the process's whole life
        Path("/proc/self/clear_refs").write_text("5")


def resident_memory() -> int:
    """Bytes of this process in memory, and on its CUDA devices what the caching allocator cannot give back."""
    device = 0
    if torch.cuda.is_initialized():
        device = sum(torch.cuda.memory_allocated(number) for number in range(torch.cuda.device_count()))
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not Linux: the mark of the whole life is all there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + device
    return pages * resource.getpagesize() + device


def loaded_code() -> dict[str, list[int]]:
    """The source files of this program and of the user that are loaded: {path: [mtime_ns, size]}."""
    libraries = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    found = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py") and not path.startswith(libraries):
            with suppress(OSError):  # deleted since: the catalogue will say so
                status = os.stat(path)
                found[path] = [status.st_mtime_ns, status.st_size]
    return found


def _hold_warnings() -> warnings.catch_warnings[None]:
    held = warnings.catch_warnings()
    held.__enter__()
    return held


def _umask() -> int:
    mask = os.umask(0o077)  # there is no other way to read it
    os.umask(mask)
    return mask


def _has_children() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # one that has ended and that nobody has asked for
    except ChildProcessError:
        return False
    return True


def _loggers() -> dict[str, tuple[int, bool, bool, list[logging.Handler]]]:
    named = {
        name: logger for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)
    }
    return {
        name: (logger.level, logger.disabled, logger.propagate, list(logger.handlers))
        for name, logger in {"": logging.root, **named}.items()
    }


def _restore_loggers(saved: dict[str, tuple[int, bool, bool, list[logging.Handler]]]) -> None:
    """Levels and handlers as they were; loggers that came since have none of their own."""
    for name in _loggers():
        logger = logging.getLogger(name) if name else logging.root
        logger.level, logger.disabled, logger.propagate, handlers = saved.get(name, (logging.NOTSET, False, True, []))
        logger.handlers[:] = handlers
    logging.disable(logging.NOTSET)  # and forgets which levels were enabled


def _torch_settings() -> dict[str, Any]:
    return {
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "anomaly": (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        "matmul": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
        "cudnn": {name: getattr(torch.backends.cudnn, name) for name in CUDNN},
        "mkldnn": torch.backends.mkldnn.enabled,
        "fill": DETERMINISTIC.fill_uninitialized_memory,
    }


def _restore_torch(saved: dict[str, Any]) -> None:
    torch.set_default_dtype(saved["dtype"])
    torch.set_default_device(None)
    torch.set_grad_enabled(saved["grad"])
    torch.autograd.set_detect_anomaly(*saved["anomaly"])
    if torch.are_deterministic_algorithms_enabled():  # the call imports a second's worth of torch
        torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision(saved["matmul"])
    torch.set_num_threads(saved["threads"])
    for name, value in saved["cudnn"].items():
        setattr(torch.backends.cudnn, name, value)
    torch.backends.mkldnn.enabled = saved["mkldnn"]
    DETERMINISTIC.fill_uninitialized_memory = saved["fill"]
    torch.set_printoptions(profile="default")
