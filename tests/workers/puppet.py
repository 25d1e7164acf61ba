"""A trial process without torch that does what its start says: `launcher.RUNNER = "tests.workers.puppet"`.

`print`: words for its log. `child`: start a process that makes a session of its own. `exit`: leave with this code
instead of an answer. `hang`: give none.
"""

import argparse
import os
import subprocess
import sys
import time

from tuning.runner import process, protocol
from tuning.runner.inbox import Inbox

CHILD = "import time; time.sleep(600)"
RESTED = {"reusable": True, "why": "", "memory": 1 << 20, "files": {}}


def obey(channel: protocol.Channel, spec: dict) -> None:
    log = channel.take_descriptor()
    os.write(1 if log is None else log, spec.get("print", "").encode())
    if log is not None:
        os.close(log)
    answer = {"pid": os.getpid(), "environment": dict(os.environ)}
    if spec.get("child"):
        answer["child"] = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True).pid
    if "exit" in spec:
        os._exit(spec["exit"])
    channel.send({"type": "result", **answer})
    if spec.get("hang"):
        time.sleep(600)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--lock")
    arguments = parser.parse_args()
    process.die_with_parent(arguments.parent)
    channel = process.open_channel(arguments.channel)
    if arguments.lock:
        process.take_lock(arguments.lock)
    inbox = Inbox(channel, lambda: RESTED)
    try:
        channel.send({"type": "hello", "pid": os.getpid(), "protocol": protocol.VERSION, "torch": None, "warm": True})
        while (start := inbox.next_start()) is not None:
            obey(channel, start["spec"])
    except protocol.ChannelClosed:
        return


if __name__ == "__main__":
    main()
