"""A trial process without torch that does nothing but report: `launcher.RUNNER = "tests.workers.flood"`.

FLOOD_POINTS says how many steps, FLOOD_RATE how many of them a second (0: as fast as they are taken), FLOOD_BEGIN when
the first is due by the machine's monotonic clock (left out: now); FLOOD_WRITTEN names a file that is told after each
hundred how far it is. A step's value follows from its number, so that what was
stored can be checked.
"""

import argparse
import os
import time
from pathlib import Path

from tuning.runner import process, protocol
from tuning.runner.inbox import Inbox

METRIC = "validation/loss"


def value_at(step: int) -> float:
    return (step * 48_271 % 65_537) / 65_537


def flood(inbox: Inbox) -> dict:
    points, rate = int(os.environ["FLOOD_POINTS"]), float(os.environ["FLOOD_RATE"])
    written = Path(os.environ["FLOOD_WRITTEN"]) if os.environ.get("FLOOD_WRITTEN") else None
    began = max(time.monotonic(), float(os.environ.get("FLOOD_BEGIN", 0)))
    time.sleep(max(0.0, began - time.monotonic()))
    for step in range(1, points + 1):
        if rate:
            time.sleep(max(0.0, began + step / rate - time.monotonic()))
        metrics = {METRIC: value_at(step), "train/loss": 2 * value_at(step)}
        inbox.channel.send({"type": "step", "step": step, "metrics": metrics, "wall": time.time()})
        if written and step % 100 == 0:
            written.write_text(str(step))
        if inbox.request():
            return {"stopped": True, "steps": step}
    return {"stopped": False, "steps": points}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--lock")
    arguments = parser.parse_args()
    process.die_with_parent(arguments.parent)
    inbox = Inbox(process.open_channel(arguments.channel))
    try:
        inbox.channel.send({"type": "hello", "pid": os.getpid(), "protocol": protocol.VERSION})
        while inbox.next_start() is not None:
            inbox.channel.send({"type": "result", **flood(inbox)})
    except protocol.ChannelClosed:
        return


if __name__ == "__main__":
    main()
