"""Studies that have ended and may be finalised, and a worker's answer to a sealed choice."""

from tests.factories import make_running, make_study, make_workload, report
from tuning.models import Job, Reveal, SealedChoice, SealedMetric, Study
from tuning.services.endings import complete_trial
from tuning.services.job_endings import complete_job
from tuning.services.jobs import claim_job
from tuning.services.lifecycle import stop_study

LOSSES = ((0.9, 0.5, 0.7), (0.8, 0.4, 0.6), (0.9, 0.8, 0.7))


def finished(owner, *, workload: str = "tiny", data: str = "d" * 64, **settings) -> Study:
    """A stopped study of three complete trials; trial 1 is the best, at step 2."""
    if workload:
        make_workload(workload)
    study = make_study(owner, workload=workload, started=True, **settings)
    Study.objects.filter(pk=study.pk).update(data_digest=data)
    for losses in LOSSES:
        trial = make_running(study)
        report(trial, losses, validation__accuracy=[1 - loss for loss in losses])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    return stop_study(study_id=study.pk, actor=owner)


def with_test_metrics(owner, values=(0.7, 0.6, 0.5), *, name: str = "test/loss") -> Study:
    """The same run by a script, whose trials have reported a test metric at each step."""
    study = finished(owner, workload="", data="")
    for trial in study.trials.all():
        for step, value in enumerate(values, start=1):
            SealedMetric.objects.create(trial=trial, name=name, fence=trial.fence, step=step, value=value)
    return study


def answer_of(seal: SealedChoice, *, test: float = 0.5, digest: str = "t" * 64, diverged: int = 0) -> dict:
    """What a worker answers; the first `diverged` seeds have no scores."""
    rows = [
        {
            "seed": seed,
            "diverged": False,
            "step": 2,
            "validation": {"loss": 0.41 + 0.01 * place, "accuracy": 0.6},
            "test": {"loss": test + 0.01 * place, "accuracy": 0.5},
            "errors": {"loss": 0.02, "accuracy": 0.03},
        }
        for place, seed in enumerate(seal.seeds)
    ]
    for row in rows[:diverged]:
        row |= {"diverged": True, "validation": {}, "test": {}, "errors": {}}
    sizes = {"train": 60, "validation": 20, "test": 20}
    return {"seeds": rows, "sizes": sizes, "test_digest": digest, "parameters": 10, "device": "CPU", "seconds": 3.0}


def revealed(seal: SealedChoice, slot, **more) -> Reveal:
    """Take the seal's job as a worker does, and answer it."""
    job = claim_job(slot=slot)
    assert job is not None and job.args["seal"] == seal.pk
    assert complete_job(job_id=job.pk, fence=job.fence, answer=answer_of(seal, **more))
    assert Job.objects.get(pk=job.pk).error == ""
    return Reveal.objects.get(seal=seal)
