"""The verdict over a storm: hpweb's tables against the ledger that the trial processes wrote outside of the database.

Nothing here asks hpweb what is right. What each step must be worth follows from the trial's seed, who may have written
it from the ledger's order in time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from tests.chaos.causes import Stroke, Violation, causes
from tests.chaos.ledger import Run
from tests.chaos.runner import METRIC, WRITER, loss_after

ENDED = ("COMPLETE", "PRUNED", "FAILED")
PROMISES = {
    "lost": "trials lost",
    "twice": "trials reported twice",
    "points": "metric points missing, wrong or of a dead attempt",
    "budget": "times that the budget was exceeded",
    "slots": "times that two processes worked on one slot",
    "fences": "writes of a stale claim",
    "counters": "counters that differ from a recount",
    "causes": "endings and losses that no disturbance accounts for",
    "orphans": "processes left at the end",
    "busy": "slots idle for too long",
}


class Tables:
    """The document of tests.chaos.desk.tables, by trial."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.study: dict[str, Any] = document["study"]
        self.trials: list[dict[str, Any]] = document["trials"]
        self.curves: dict[int, dict[str, tuple[list[int], list[float]]]] = {
            int(number): {name: (curve[0], curve[1]) for name, curve in curves.items()}
            for number, curves in document["curves"].items()
        }
        self.starts: dict[int, dict[int, int]] = defaultdict(dict)  # trial -> fence -> the step it started after
        self.open: list[tuple[int, int]] = []
        for row in document["attempts"]:
            self.starts[row["trial"]][row["fence"]] = row["start_step"]
            if not row["ended"]:
                self.open.append((row["trial"], row["fence"]))
        self.stored: dict[tuple[int, int, str], list[tuple[int, float]]] = defaultdict(list)
        for chunk in document["chunks"]:
            rows = zip(chunk["steps"], chunk["values"], strict=True)
            self.stored[chunk["trial"], chunk["fence"], chunk["metric"]] += list(rows)
        self.summaries = {(row["trial"], row["metric"]): (row["n"], row["last_step"]) for row in document["summaries"]}


def judge(
    document: dict[str, Any],
    runs: Sequence[Run],
    samples: Sequence[dict[str, Any]],
    strokes: Sequence[Stroke] | None = None,
) -> list[Violation]:
    """Every promise that the tables and the ledger show to be broken; none where all is well.

    Without strokes nobody asks who took a claim from its process, and no trial may have found the disk full.
    """
    tables = Tables(document)
    return [
        *lost(tables, runs),
        *causes(document, runs, samples, strokes),
        *twice(tables),
        *points(tables, runs),
        *budget(tables, samples),
        *slots(runs),
        *fences(tables, runs),
        *counters(tables),
    ]


def lost(tables: Tables, runs: Sequence[Run]) -> Iterator[Violation]:
    """Every trial of the budget has ended, in order or for a reason that the rules give."""
    study = tables.study
    if study["state"] != "FINISHED":
        yield Violation("lost", f"the study is {study['state']}")
    if [trial["number"] for trial in tables.trials] != list(range(study["budget"])):
        yield Violation("lost", f"of a budget of {study['budget']} trials there are {len(tables.trials)}")
    answered = {(run.trial, run.fence) for run in runs if run.ended == "result"}
    for trial in tables.trials:
        name = f"trial {trial['number']}"
        if trial["state"] == "COMPLETE":
            if (trial["number"], trial["fence"]) not in answered:
                yield Violation("lost", f"{name} is complete, but its claim {trial['fence']} never finished it")
        elif trial["state"] != "FAILED":
            yield Violation("lost", f"{name} is {trial['state']}")
        elif trial["reason_code"] == "lost_host":
            if trial["retries"] < study["max_retries"] or trial["fence"] <= study["max_retries"]:
                yield Violation("lost", f"{name} was given up after {trial['retries']} losses: {trial['reason']}")
        elif trial["reason_code"] != "disk_full":  # whose cause is looked for by itself
            yield Violation("lost", f"{name} has failed ({trial['reason_code']}): {trial['reason'][:200]}")
    for number, fence in tables.open:
        yield Violation("lost", f"attempt {fence} of trial {number} has no end")


def twice(tables: Tables) -> Iterator[Violation]:
    """Each end takes the study's next number: a second end of a trial leaves a gap."""
    taken = sorted(trial["finish_seq"] for trial in tables.trials if trial["state"] in ENDED)
    if taken != list(range(1, len(taken) + 1)):
        yield Violation("twice", f"{len(taken)} trials have ended with the numbers {taken}")
    if tables.study["finish_seq"] != len(taken):
        yield Violation("twice", f"{tables.study['finish_seq']} ends were reported of {len(taken)} trials")


def points(tables: Tables, runs: Sequence[Run]) -> Iterator[Violation]:
    """The steps of the winning lineage stand in the curve once each, in order, with the right value and writer."""
    for trial in tables.trials:
        number, name = trial["number"], f"trial {trial['number']}"
        curves = tables.curves.get(number, {})
        steps, values = curves.get(METRIC, ([], []))
        if steps != list(range(1, len(steps) + 1)):
            yield Violation("points", f"{name}: the curve has the steps {steps}")
        if trial["state"] == "COMPLETE":
            if len(steps) != trial["resource"]:
                yield Violation("points", f"{name}: {len(steps)} points of {trial['resource']}")
            best = min(range(1, trial["resource"] + 1), key=lambda step: loss_after(trial["seed"], step))
            if (trial["value"], trial["value_step"]) != (loss_after(trial["seed"], best), best):
                yield Violation("points", f"{name}: its value is {trial['value']} of step {trial['value_step']}")
        wrong = [step for step, value in zip(steps, values, strict=True) if value != loss_after(trial["seed"], step)]
        if wrong:
            yield Violation("points", f"{name}: wrong values at the steps {wrong}")
        expected = lineage(tables.starts[number])
        writers = dict(zip(*curves.get(WRITER, ([], [])), strict=True))
        strange = {step: writers.get(step) for step in steps if writers.get(step) != expected(step)}
        if strange or len(writers) != len(steps):
            yield Violation("points", f"{name}: steps whose writer is not of the winning lineage: {strange}")
        for metric, curve in curves.items():
            if tables.summaries.get((number, metric)) != (len(curve[0]), curve[0][-1]):
                yield Violation("points", f"{name}: the summary of {metric} differs from its {len(curve[0])} points")
    reported = {(run.trial, run.fence): run for run in runs}
    for (number, fence, metric), rows in tables.stored.items():
        run = reported.get((number, fence))
        steps = [step for step, _ in rows]
        if run is None or not run.steps.keys() >= set(steps):
            yield Violation("points", f"trial {number}: claim {fence} has points that nobody reported")
        if any(after <= before for before, after in pairwise(steps)):
            yield Violation("points", f"trial {number}: claim {fence} has {metric} twice or out of order: {steps}")
    for run in runs:
        if tables.starts[run.trial].get(run.fence) != run.first_step:
            words = f"claim {run.fence} went on after {run.first_step}"
            yield Violation("points", f"trial {run.trial}: {words}, not {tables.starts[run.trial].get(run.fence)}")


def lineage(starts: dict[int, int]):
    """Which claim's point stands at a step: the newest that reported it and was not cut off by a later start."""
    spans: list[tuple[int, float, int]] = []
    limit = float("inf")
    for fence in sorted(starts, reverse=True):
        spans.append((starts[fence], limit, fence))
        limit = min(limit, starts[fence])

    def writer(step: int) -> int | None:
        return next((fence for low, high, fence in spans if low < step <= high), None)

    return writer


def budget(tables: Tables, samples: Iterable[dict[str, Any]]) -> Iterator[Violation]:
    for sample in [*samples, {"created": len(tables.trials), "budget": tables.study["budget"]}]:
        if sample["created"] > sample["budget"]:
            yield Violation("budget", f"{sample['created']} trials of a budget of {sample['budget']}")


def slots(runs: Sequence[Run]) -> Iterator[Violation]:
    """No process of a slot has said a word after another of it has begun."""
    for slot, own in by_slot(runs).items():
        newest = own[0]
        for run in own[1:]:
            if run.pid != newest.pid and run.began <= newest.last:
                words = f"process {newest.pid} went on {newest.last - run.began:.2f} s after {run.pid} began"
                yield Violation("slots", f"slot {slot}: {words}")
            newest = max(newest, run, key=lambda one: one.last)


def by_slot(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.began):
        found[run.slot].append(run)
    return found


def fences(tables: Tables, runs: Sequence[Run]) -> Iterator[Violation]:
    """Fences only rise, each was one process's, and nothing is stored that a claim said after the next one began."""
    claims: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        claims[run.trial].append(run)
    for number, own in claims.items():
        name = f"trial {number}"
        order = [run.fence for run in own]
        if order != sorted(set(order)):
            yield Violation("fences", f"{name} was run by the claims {order}")
        for index, run in enumerate(own):
            later = own[index + 1].began if index + 1 < len(own) else float("inf")
            stored = {step for step, _ in tables.stored.get((number, run.fence, METRIC), ())}
            stale = sorted(step for step in stored if run.steps.get(step, 0.0) > later)
            if stale:
                yield Violation("fences", f"{name}: claim {run.fence} wrote the steps {stale} after the next had begun")
            if run.source:
                yield from _source(name, run, own[:index])
    for trial in tables.trials:
        known = sorted(tables.starts[trial["number"]])
        if known != list(range(1, trial["fence"] + 1)):
            yield Violation("fences", f"trial {trial['number']} has the claims {known}, its fence is {trial['fence']}")


def _source(name: str, run: Run, earlier: Sequence[Run]) -> Iterator[Violation]:
    """The checkpoint that a run went on from was written by the newest claim of its time."""
    fence, step = (int(part) for part in run.source.removesuffix(".json").split("-")[1:])
    writer = next((one for one in earlier if one.fence == fence), None)
    between = [one for one in earlier if one.fence > fence]
    if writer is None or step not in writer.checkpoints or step != run.first_step:
        yield Violation("fences", f"{name}: claim {run.fence} went on from {run.source}, which nobody wrote")
    elif between and writer.checkpoints[step] > between[0].began:
        yield Violation("fences", f"{name}: claim {run.fence} went on from {run.source}, written by a stale claim")


def counters(tables: Tables) -> Iterator[Violation]:
    recount = Counter(f"n_{trial['state'].lower()}" for trial in tables.trials)
    for counter, value in tables.study["counters"].items():
        if value != recount[counter]:
            yield Violation("counters", f"{counter} is {value}, there are {recount[counter]}")
    if tables.study["next_number"] != len(tables.trials):
        yield Violation("counters", f"next_number is {tables.study['next_number']} with {len(tables.trials)} trials")
    values = [trial for trial in tables.trials if trial["state"] == "COMPLETE"]
    best = min(values, key=lambda trial: (trial["value"], trial["finish_seq"]), default=None)
    if (best["number"] if best else None) != tables.study["best"]:
        yield Violation(
            "counters", f"the best trial is {tables.study['best']}, and should be {best and best['number']}"
        )
