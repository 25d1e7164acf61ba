"""A trial process without torch: it speaks the runner's protocol, "trains" by a chain of numbers, writes checkpoints.

Whatever it does it first writes to its ledger, a file of its own outside of the database, in one O_APPEND write a
line: what a process has written there survives its kill -9. `loss_after` is known to the verdict, too: a value can only
be right where a resumed attempt went on from the very checkpoint that it was told.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from tuning.runner import process, protocol
from tuning.runner.inbox import Inbox

NAME = "chain"
SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
METRIC = "validation/loss"
WRITER = "writer"  # the metric by which a stored point says which attempt wrote it
EVERY = 4  # steps between checkpoints
MODULUS = 2**31 - 1


def chained(state: int) -> int:
    return state * 48_271 % MODULUS


def first_state(seed: int) -> int:
    return seed % (MODULUS - 1) + 1


def loss_after(seed: int, step: int) -> float:
    """What a trial of this seed reports at a step, however often it was resumed."""
    return first_state(seed) * pow(48_271, step, MODULUS) % MODULUS / MODULUS


class Ledger:
    """One file for each process; times are of the machine's monotonic clock, which no clock that is set moves."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / f"{os.getpid()}-{time.monotonic_ns()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, event: str, **facts) -> None:
        line = json.dumps({"event": event, "at": time.monotonic(), "pid": os.getpid(), **facts})
        os.write(self._file, line.encode() + b"\n")


def described() -> dict:
    metrics = [(METRIC, "validation", "minimize"), (WRITER, None, "maximize")]
    return {
        "name": NAME, "title": "A chain of numbers", "doc": "", "kind": "pytorch", "digest": "c" * 64,
        "source": "chaos",
        "space": SPACE, "metric": METRIC, "direction": "minimize", "max_resource": 20, "min_resource": 1,
        "metrics": [{"name": name, "split": split, "goal": goal} for name, split, goal in metrics],
        "resource_unit": "steps", "data_digest": "", "error": None,
    }  # fmt: skip


class Chain:
    """One attempt of one trial."""

    def __init__(self, spec: dict, inbox: Inbox, ledger: Ledger, slot: str) -> None:
        self.spec, self.inbox, self.ledger = spec, inbox, ledger
        self.key = {"trial": spec["trial"], "fence": spec["fence"], "slot": slot}
        self.folder = Path(spec["checkpoint_dir"])
        self.step, self.state = 0, first_state(spec["seed"])

    def run(self) -> dict:
        resumed = self.spec.get("resume_from")
        if resumed:
            found = json.loads(Path(resumed).read_text())
            self.step, self.state = found["step"], found["state"]
        source = Path(resumed).name if resumed else ""
        self.ledger.write("start", **self.key, step=self.step, source=source, seed=self.spec["seed"])
        seconds = float(os.environ["CHAOS_STEP_SECONDS"])
        while self.step < self.spec["epochs"]:
            time.sleep(seconds)
            self.step, self.state = self.step + 1, chained(self.state)
            metrics = {METRIC: self.state / MODULUS, WRITER: float(self.spec["fence"])}
            self.ledger.write("step", **self.key, step=self.step, value=metrics[METRIC])
            self.inbox.channel.send({"type": "step", "step": self.step, "metrics": metrics, "wall": time.time()})
            request = self.inbox.request()
            if self.step % EVERY == 0 or self.step == self.spec["epochs"] or request:
                self.checkpoint()
            if request and self.step < self.spec["epochs"]:
                self.ledger.write("stopped", **self.key, step=self.step)
                return {"stopped": True if request == "stop" else request}
        self.ledger.write("result", **self.key, step=self.step)
        return {"stopped": False}

    def checkpoint(self) -> None:
        name = f"last-{self.spec['fence']}-{self.step}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        writing = self.folder / f"{name}.writing"
        with writing.open("w") as file:
            json.dump({"step": self.step, "state": self.state}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(writing, self.folder / name)
        self.ledger.write("checkpoint", **self.key, step=self.step)
        message = {"type": "checkpoint", "kind": "last", "step": self.step, "path": str(self.folder / name)}
        self.inbox.channel.send(message)


def answer(start: dict, inbox: Inbox, ledger: Ledger, slot: str) -> dict:
    if start["kind"] == "describe":
        return {"type": "result", "workloads": [described()]}
    if start["kind"] == "split":
        sizes = {"train": 1, "validation": 1, "test": 1}
        return {"type": "result", "sizes": sizes, "digest": "d" * 64, "data_digest": "d" * 64, "hashes": []}
    try:
        return {"type": "result", **Chain(start["spec"], inbox, ledger, slot).run()}
    except OSError as error:
        if isinstance(error, protocol.ChannelClosed):
            raise
        ledger.write("error", trial=start["spec"]["trial"], fence=start["spec"]["fence"], slot=slot, words=str(error))
        return {"type": "error", "reason_code": "disk_full", "message": str(error), "traceback": "", "remedy": ""}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--lock")
    arguments = parser.parse_args()
    process.die_with_parent(arguments.parent)
    channel = process.open_channel(arguments.channel)
    lock = process.take_lock(arguments.lock)
    slot = Path(arguments.lock).stem.removeprefix("process-")
    ledger = Ledger(Path(os.environ["CHAOS_LEDGER"]))
    memory = {"reusable": True, "why": "", "memory": 1, "files": {}}
    inbox = Inbox(channel, lambda: memory)
    try:
        channel.send({"type": "hello", "pid": os.getpid(), "protocol": protocol.VERSION, "torch": None, "warm": True})
        while (start := inbox.next_start()) is not None:
            log = channel.take_descriptor()
            channel.send(answer(start, inbox, ledger, slot))
            if log is not None:
                os.close(log)
    except protocol.ChannelClosed:
        return 0
    finally:
        os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
