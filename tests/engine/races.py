"""Driving an Optimizer with given values, one trial at a time or all at once."""

from tuning.engine import NothingToRun, Optimizer

SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}


def race(scheduler, *, resources, eta=3, budget=None, direction="minimize", sampler="random", seed=0, **options):
    """An Optimizer with this scheduler over one parameter."""
    return Optimizer(
        SPACE,
        sampler,
        scheduler(*resources, eta, direction, **options),
        direction=direction,
        budget=budget,
        seed=seed,
    )


def advance(optimizer, trial, value):
    """Let a running trial report value(step) up to its resource; the last verdict."""
    verdict = "continue"
    for step in range(trial.resume_step + 1, trial.resource + 1):
        verdict = optimizer.report(trial.number, step, value(trial, step))
        if verdict != "continue":
            return verdict
    return verdict


def run_out(optimizer, value, workers=1):
    """Run until nothing can start any more, `workers` trials at a time; the epochs that it took."""
    epochs = 0
    while True:
        try:
            trials = [optimizer.ask()]
        except NothingToRun as nothing:
            if nothing.reason != "exhausted":
                raise AssertionError("nothing runs, and yet it waits") from nothing
            return epochs
        trials += optimizer.ask_many(workers - 1)
        for trial in trials:
            current = trial
            while True:
                verdict = advance(optimizer, current, value)
                now = optimizer.trials[trial.number]
                epochs += now.resume_step - current.resume_step
                if verdict != "continue":
                    break
                current = now
