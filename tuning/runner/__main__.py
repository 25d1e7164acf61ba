"""The trial process: `python -m tuning.runner --channel FD --parent PID [--lock PATH]`.

It dies with its parent, says hello before torch is imported (which takes seconds), and then serves one start
after another until it is told to exit or the channel ends. Between two it puts back what the last one changed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from typing import TextIO, cast

from tuning.runner import process, protocol


def main() -> int:
    """Serve a worker; the exit status is 0 after exit or the end of the channel."""
    parser = argparse.ArgumentParser(prog="python -m tuning.runner", description=__doc__)
    parser.add_argument("--channel", type=int, required=True, help="descriptor of this end of the socketpair")
    parser.add_argument("--parent", type=int, required=True, help="process that this one must not outlive")
    parser.add_argument("--lock", help="file to hold locked while alive: at most one process a device slot")
    arguments = parser.parse_args()

    process.die_with_parent(arguments.parent)
    for stream in (sys.stdout, sys.stderr):  # logs: a line is worth more now than in a block later
        cast(TextIO, stream).reconfigure(line_buffering=True)  # type: ignore[attr-defined]
    channel = process.open_channel(arguments.channel)
    lock = process.take_lock(arguments.lock) if arguments.lock else None
    hello = {"pid": os.getpid(), "protocol": protocol.VERSION, "python": platform.python_version()}
    try:
        channel.send({"type": "hello", **hello, "torch": None, "warm": True})

        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before any CUDA context, or too late
        from tuning.runner.session import Session
        from tuning.training.catalogue import Catalogue, Sources

        Session(channel, Catalogue(Sources.from_environment(os.environ))).serve()
    except protocol.ChannelClosed:
        return 0
    finally:
        channel.close()
        if lock is not None:
            os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
