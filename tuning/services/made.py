"""Made trials for tests of scale: plausible parameters, values and curves, written in bulk. Never for results."""

import time
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from tuning.models import CurveSummary, MetricChunk, Study, Trial
from tuning.services.errors import Conflict
from tuning.services.metrics import PREVIEW_POINTS, metrics_named, pack
from tuning.services.proposing import engine_space
from tuning.services.transitions import count_change, counter, lock_study

BATCH = 2_000
SHARES = ((Trial.State.COMPLETE, 0.85), (Trial.State.PRUNED, 0.10), (Trial.State.FAILED, 0.05))


def make_trials(*, study_id: int, n: int, steps: int = 20, seed: int = 0) -> float:
    """Add `n` ended trials with curves of `steps` points each to a study that does not run; returns the seconds taken.

    85 % are complete, 10 % pruned half-way, 5 % failed as diverged. The loss falls with the distance of the
    configuration from a hidden optimum in the unit cube, so that the pages have something to show.
    """
    began = time.monotonic()
    rng = np.random.default_rng(seed)
    for start in range(0, n, BATCH):
        _make_batch(study_id, min(BATCH, n - start), steps, rng)
    return time.monotonic() - began


@transaction.atomic
def _make_batch(study_id: int, n: int, steps: int, rng: np.random.Generator) -> None:
    study = lock_study(study_id)
    if study.state in (Study.State.RUNNING, Study.State.PAUSED):
        raise Conflict("Made trials go into a study that does not run.")
    space = engine_space(study)
    if space is None:
        raise Conflict("Made trials need a study with a search space.")
    names = sorted({study.metric, "train/loss", "validation/loss"})
    metrics = metrics_named(study, names)
    units = rng.random((n, len(space.parameters)))
    target = np.random.default_rng(study.pk).random(units.shape[1])
    distance = np.sqrt(((units - target) ** 2).mean(axis=1))
    floors = 0.05 + distance + rng.normal(0, 0.01, n) ** 2
    rates = rng.uniform(2, 8, n)
    times = np.arange(1, steps + 1)
    sign = 1.0 if study.direction == "minimize" else -1.0
    states = rng.choice([state for state, _ in SHARES], n, p=[share for _, share in SHARES])
    now, wall = timezone.now(), time.time()
    trials: list[Trial] = []
    curves: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    for row in range(n):
        state = str(states[row])
        length = steps if state == Trial.State.COMPLETE else max(1, steps // 2)
        loss = floors[row] + 2.0 * np.exp(-times[:length] / rates[row])
        best = sign * float(loss.min())
        failed = state == Trial.State.FAILED
        trials.append(
            Trial(
                study=study,
                number=study.next_number + row,
                space_id=study.space_id,
                params=space.from_unit(units[row]),
                state=state,
                origin="made",
                why="made for a test of scale",
                sampler_used="random",
                reason_code="diverged" if failed else "",
                reason="made as diverged" if failed else "",
                value=None if failed else best,
                values=None if failed else [best],
                value_step=length,
                value_kind="nan" if failed else "",
                resource=steps,
                resource_done=length,
                started=now,
                completed=now,
                finish_seq=study.finish_seq + row + 1,
                seed=study.seed + study.next_number + row,
                fence=1,
            )
        )
        curves.append(loss)
    Trial.objects.bulk_create(trials)
    chunks: list[MetricChunk] = []
    summaries: list[CurveSummary] = []
    for trial, loss in zip(trials, curves, strict=True):
        length = len(loss)
        packed_steps, walls = pack(times[:length].tolist(), "i"), pack([wall] * length, "d")
        thinned = list(range(0, length, -(-length // PREVIEW_POINTS)))
        for name in names:
            values = (0.8 * loss if name == "train/loss" else sign * loss if name == study.metric else loss).tolist()
            best_index = int(np.argmin(values) if metrics[name].goal == "minimize" else np.argmax(values))
            chunks.append(
                MetricChunk(
                    trial=trial,
                    metric=metrics[name],
                    fence=1,
                    first_step=1,
                    n=length,
                    steps=packed_steps,
                    values=pack(values, "d"),
                    wall_times=walls,
                )
            )
            summaries.append(
                CurveSummary(
                    trial=trial,
                    metric=metrics[name],
                    n=length,
                    last_step=length,
                    last=values[-1],
                    best=values[best_index],
                    best_step=best_index + 1,
                    preview=[[index + 1, round(values[index], 6)] for index in thinned],
                )
            )
    MetricChunk.objects.bulk_create(chunks, batch_size=BATCH)
    CurveSummary.objects.bulk_create(summaries, batch_size=BATCH)
    changes = {counter(str(state)): int((states == state).sum()) for state, _ in SHARES}
    changes["steps_settled"] = sum(trial.resource_done for trial in trials)
    count_change(study, changes, historical=True, next_number=study.next_number + n, finish_seq=study.finish_seq + n)
    order = "value" if study.direction == "minimize" else "-value"
    best_trial = Trial.objects.filter(study=study, state=Trial.State.COMPLETE, value__isnull=False).order_by(
        order, "number"
    )
    Study.objects.filter(pk=study.pk).update(
        best_trial_id=best_trial.values_list("pk", flat=True).first(),
        budget_total=Study.objects.filter(pk=study.pk).values_list("next_number", flat=True)[0],
        version=F("version") + 1,
        last_activity=Now(),
    )
