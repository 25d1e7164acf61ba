"""`manage.py bench regularisation`: does the best weight decay move with the data, and does the page say so rightly?

Real trainings of the digits' perceptron (one hidden layer of 64) on 40, 150 and 1,000 of its examples, by strength and
seed: with an L2 penalty on the mean loss (SGD), and with AdamW's decoupled decay. All take the same number of steps, so
that a strength has as much time to act on few examples as on many, and the score is the validation loss at the end:
stopping at the best epoch regularises, too.

Then what the fit claims where the truth is known: ridge regressions by exact theory (slope 1 over the parameters, -1
over the examples, 0 for a summed loss), and losses whose optimum stays where it is. Steps, learning rates and the
rules of the fit were chosen on the seeds that --quick plays; reported seeds begin at REPORT_SEED.
"""

import math
import time
from collections.abc import Sequence
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from tests.analysis.test_strengths import bowls, ridge
from tests.benchmarks.report import Mark, Report, run_facts
from tuning.analysis.diagnosis.strengths import Run as Trained
from tuning.analysis.diagnosis.strengths import Strengths, best_strengths
from tuning.training import Params, Splits, evaluate
from tuning.training.batches import Batches, size_of
from tuning.training.data_size import part_of
from tuning.training.determinism import seed_everything
from tuning.training.examples import load_data
from tuning.training.workloads.digits_mlp import DigitsMLP

EXAMPLES = (40, 150, 1000)
STRENGTHS = {"l2": 10.0 ** np.arange(-5, -0.9, 0.5), "adamw": 10.0 ** np.arange(-3, 1.1, 0.5)}
RATES = {"l2": 0.1, "adamw": 3e-3}
UPDATES, BATCH, UNITS = 1500, 32, 64
SEEDS, QUICK_SEED, REPORT_SEED = 6, 0, 1000
DRAWINGS = 100


class DigitsL2(DigitsMLP):
    """The digits' perceptron with an L2 penalty on the mean loss in place of AdamW's decay."""

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return SGD(model.parameters(), lr=params["lr"], momentum=0.9, weight_decay=params["weight_decay"])


WORKLOADS = {"l2": DigitsL2, "adamw": DigitsMLP}


def trained(kind: str, splits: Splits, strength: float, seed: int) -> Trained:
    """One training of UPDATES steps: its run by the validation loss at the end."""
    workload = WORKLOADS[kind]()
    params = {"lr": RATES[kind], "weight_decay": strength, "dropout": 0.0, "layers": 1, "units": UNITS}
    generator = seed_everything(seed)
    model = workload.build_model(params)
    optimizer = workload.build_optimizer(model, params)
    model.train()
    passes = (batch for _ in count() for batch in Batches(splits.train, BATCH, generator))
    for inputs, targets in islice(passes, UPDATES):
        optimizer.zero_grad(set_to_none=True)
        workload.train_step(model, inputs, targets, params).backward()
        optimizer.step()
    loss = evaluate(workload, model, splits.validation, torch.device("cpu"))["loss"]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Trained(strength, loss, parameters, size_of(splits.train), seed)


def parts() -> dict[int, Splits]:
    """The digits with so many examples to learn from, as `train_fraction` takes them."""
    whole = load_data(DigitsMLP())
    size = size_of(whole.train)
    return {examples: part_of(whole, {"train_fraction": examples / size}) for examples in EXAMPLES}


def rows_of(kind: str, found: Strengths) -> list[dict[str, Any]]:
    """A row for each size."""
    return [
        {
            "weight decay": kind,
            "examples": round(size.sizes["examples"]),
            "best": size.best,
            "from": size.low,
            "to": size.high,
            "at an end": size.edge or "no",
            "told": size.told,
            "loss": min(cell.mean for cell in size.cells),
            "loss at the weakest": size.cells[0].mean,
        }
        for size in found.sizes
    ]


def slope_row(kind: str, found: Strengths) -> dict[str, Any]:
    slope = found.slopes[0] if found.slopes else None
    ends = {"slope": slope.value, "from": slope.low, "to": slope.high} if slope is not None else {}
    said = found.problem or ("claimed" if slope is not None and slope.claimed else "not claimed")
    return {"decades for ten times the examples": kind, **ends, "said": said}


def theory(first: int, drawings: int) -> list[dict[str, Any]]:
    """How often the interval holds the known slope, and how often one is claimed, in so many drawings of each case."""
    models, sets = [(10, 200), (30, 200), (100, 200), (300, 200)], [(50, 25), (50, 50), (50, 200), (50, 800)]
    seeds = range(first, first + drawings)
    few = seeds[: max(1, drawings // 5)]  # of these each is a set of regressions
    cases: list[tuple[str, float, Sequence[Strengths]]] = [
        ("ridge, parameters", 1.0, [best_strengths(ridge(models, seed), scale="log") for seed in few]),
        ("ridge, examples", -1.0, [best_strengths(ridge(sets, seed), scale="log") for seed in few]),
        ("ridge, summed loss", 0.0, [best_strengths(ridge(sets, seed, summed=True), scale="log") for seed in few]),
    ]
    for noise in (0.3, 1.0, 3.0):
        found = [best_strengths(bowls([-2.4] * 4, seed, noise=noise), scale="log") for seed in seeds]
        cases.append((f"no move, noise {noise:g}", 0.0, found))
    rows = []
    for name, truth, said in cases:
        slopes = [one.slopes[0] for one in said if one.slopes]
        rows.append(
            {
                "known slope": name,
                "truth": truth,
                "drawings": len(said),
                "fitted": len(slopes),
                "held": sum(slope.low <= truth <= slope.high for slope in slopes),
                "claimed": sum(slope.claimed for slope in slopes),
            }
        )
    return rows


def run(*, quick: bool = False) -> Report:
    """Train, fit, count."""
    began = time.monotonic()
    seeds = range(QUICK_SEED, QUICK_SEED + 3) if quick else range(REPORT_SEED, REPORT_SEED + SEEDS)
    sizes, slopes, found = list[dict[str, Any]](), list[dict[str, Any]](), dict[str, Strengths]()
    data = parts()
    torch.set_num_threads(1)
    for kind in ("l2",) if quick else WORKLOADS:
        runs = [
            trained(kind, data[examples], float(strength), seed)
            for examples in EXAMPLES
            for strength in STRENGTHS[kind][:: 2 if quick else 1]
            for seed in seeds
        ]
        found[kind] = best_strengths(runs, scale="log")
        sizes += rows_of(kind, found[kind])
        slopes.append(slope_row(kind, found[kind]))
    known = theory(QUICK_SEED if quick else REPORT_SEED, 10 if quick else DRAWINGS)
    notes = [
        f"digits_mlp, {UNITS} units, {UPDATES:,} steps, batches of {BATCH}; {len(seeds)} seeds a cell. l2: SGD at a "
        f"learning rate of {RATES['l2']:g}; adamw: at {RATES['adamw']:g}, where a step decays by rate times strength.",
    ]
    if quick:
        notes.append("--quick: the design's seeds, every other strength, the L2 penalty alone; it decides no mark")
    facts = run_facts(["numpy", "scipy", "torch"], seeds=list(seeds), seconds=round(time.monotonic() - began))
    return Report("regularisation", [*sizes, *slopes, *known], marks_of(found["l2"], known), notes, facts)


def marks_of(l2: Strengths, known: Sequence[dict[str, Any]]) -> list[Mark]:
    """What has to hold of the L2 penalty's fit, and of the cases whose slope is known."""
    best = [size.best for size in l2.sizes]
    falls = len(best) == len(EXAMPLES) and all(np.diff(np.log10(best)) < 0)
    high = l2.slopes[0].high if l2.slopes else math.nan
    words = ", ".join(f"{value:.0e}" for value in best)
    marks = [
        Mark("best L2 penalty on 40, 150, 1,000 examples", words, "falls at each step", bool(falls)),
        Mark("its slope, upper end of the interval", high if l2.slopes else l2.problem, "below 0", high < 0),
    ]
    for row in known:
        name = row["known slope"]
        if name.startswith("ridge"):
            held = row["held"] / max(1, row["fitted"])
            marks.append(Mark(f"{name}: intervals that hold the truth", held, "at least 0.9", held >= 0.9))
        if row["truth"] == 0:
            false = row["claimed"] / row["drawings"]
            marks.append(Mark(f"{name}: claims", false, "at most 0.05", false <= 0.05))
    return marks
