"""Whether the blows account for what trials have suffered: a full disk for a trial that found it full, and for every
claim that its process did not bring to an end something that may take a process.

A supervisor that finds its cluster unwell after a blow starts it anew, and that ends what runs there: such a start
accounts for a loss too, unless a blow has ended the cluster itself and so brought the start about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.blows import KINDS
from tests.chaos.ledger import Run
from tests.chaos.place import LEASE_SECONDS

RESTART = "a new start of the cluster"


@dataclass(frozen=True)
class Violation:
    """A broken promise (a key of verdict.PROMISES), and what was seen."""

    promise: str
    words: str


@dataclass(frozen=True)
class Stroke:
    """A blow of a kind: from when it began to strike until what it has caused is over (monotonic clock)."""

    name: str
    began: float
    ended: float

    def meets(self, low: float, high: float) -> bool:
        return self.began <= high and low <= self.ended

    @property
    def takes(self) -> bool:
        return self.name == RESTART or KINDS[self.name].takes

    @property
    def fills(self) -> bool:
        return self.name != RESTART and KINDS[self.name].fills


def own_restarts(restarts: Sequence[Stroke], strokes: Sequence[Stroke]) -> list[Stroke]:
    """The new starts of a cluster that nobody had ended: each blow that ends one brings about the next."""
    left = sorted(restarts, key=lambda restart: restart.ended)
    for stroke in strokes:
        if KINDS[stroke.name].ends_cluster:
            brought = next((restart for restart in left if restart.meets(stroke.began, stroke.ended)), None)
            left = [restart for restart in left if restart is not brought]
    return left


def causes(
    document: dict[str, Any],
    runs: Sequence[Run],
    samples: Sequence[dict[str, Any]],
    strokes: Sequence[Stroke] | None,
) -> Iterator[Violation]:
    """Of a kind that fills the disk for each trial that failed with it full, of a kind that takes for each loss."""
    fillers = [stroke for stroke in strokes or () if stroke.fills]
    for trial in document["trials"]:
        if trial["reason_code"] == "disk_full":
            yield from _disk_was_full(trial, runs, samples, fillers)
    if strokes is None:
        return
    takers = [stroke for stroke in strokes if stroke.takes]
    for trial in document["trials"]:
        yield from _was_struck(trial, document["attempts"], runs, takers)


def _disk_was_full(
    trial: dict[str, Any], runs: Sequence[Run], samples: Sequence[dict[str, Any]], fillers: Sequence[Stroke]
) -> Iterator[Violation]:
    """By the ledger where its process has written of it, else between the last sample without it and the first with."""
    number = trial["number"]
    told = [run.last for run in runs if (run.trial, run.fence, run.ended) == (number, trial["fence"], "error")]
    if told:
        low = high = told[0]
    else:
        seen = [sample["at"] for sample in samples if number in sample.get("disk_full", ())]
        high = min(seen, default=float("inf"))
        low = max((sample["at"] for sample in samples if sample.get("at", high) < high), default=high)
    if not any(stroke.meets(low, high) for stroke in fillers):
        yield Violation("causes", f"trial {number} found the disk full when it was not")


def _was_struck(
    trial: dict[str, Any], attempts: Sequence[dict[str, Any]], runs: Sequence[Run], takers: Sequence[Stroke]
) -> Iterator[Violation]:
    """Every claim that was followed by another, and the last one of a trial that was given up, has a blow of its own.

    The blow fell between its last word and the first of the next claim; a frozen worker's process may talk on in vain.
    """
    number, given_up = trial["number"], trial["reason_code"] == "lost_host"
    own = {run.fence: run for run in runs if run.trial == number}
    ended = {row["fence"]: row["outcome"] for row in attempts if row["trial"] == number}
    left = sorted(takers, key=lambda stroke: stroke.ended)
    low = 0.0
    for fence in range(1, trial["fence"] + (1 if given_up else 0)):
        low = own[fence].last if fence in own else low
        following = [run.began for later, run in own.items() if later > fence]
        high = min(following, default=low + LEASE_SECONDS)
        low = min(low, high)
        stroke = next((one for one in left if one.meets(low, high)), None)
        if stroke is None:
            words = f"claim {fence} of trial {number} was lost ({ended.get(fence, '')})"
            yield Violation("causes", f"{words}, and nothing had struck it")
        else:
            left.remove(stroke)
