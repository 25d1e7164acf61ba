"""The final look: a choice is sealed, measured once, and what was seen is kept for ever.

The seal is committed before anything is measured: a job trains the choice with fresh seeds and opens the test split
last; of functions, programs and scripts, whose trials have reported test metrics, the sealed numbers are opened. A job
that dies shows no number, so that running it again is no second look.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tuning.models import Job, SealedChoice, Study, Trial, Workload
from tuning.models.fields import storable
from tuning.selectors.looks import looks_at, looks_under_way, trials_on
from tuning.selectors.reveals import (
    LONGEST_REASON,
    MOST_SEEDS,
    SEEDS,
    Retrain,
    candidates,
    epochs_of,
    hindrance_of,
    is_trained,
    may_be_chosen,
    newest_seal,
    state_of,
    validation_scores,
)
from tuning.selectors.sealed import sealed_counts
from tuning.selectors.versions import own_commit
from tuning.services.audit import record
from tuning.services.errors import Conflict, Invalid
from tuning.services.jobs import request_job
from tuning.services.permissions import study_for_change
from tuning.services.problems import Problems
from tuning.services.revealing import open_sealed_metrics
from tuning.services.studies import MAX_TRIALS

KIND = "finalise"
CHOICES = (Retrain.TRAIN.value, Retrain.BOTH.value)


def finalise_study(
    *,
    study_id: int,
    actor: AbstractBaseUser,
    trial: int | None = None,
    seeds: int | None = None,
    retrain: str = "",
    reason: str = "",
) -> SealedChoice:
    """Seal a choice, and have it measured; see `seal_choice`. What trains nothing is revealed before this returns."""
    seal = seal_choice(study_id=study_id, actor=actor, trial=trial, seeds=seeds, retrain=retrain, reason=reason)
    if seal.retrain == Retrain.NONE and state_of(seal) != "revealed":
        open_sealed_metrics(seal)  # in a transaction of its own: the seal is committed
        seal = SealedChoice.objects.select_related("trial", "job", "reveal").get(pk=seal.pk)
    return seal


@transaction.atomic
def seal_choice(
    *,
    study_id: int,
    actor: AbstractBaseUser,
    trial: int | None = None,
    seeds: int | None = None,
    retrain: str = "",
    reason: str = "",
) -> SealedChoice:
    """Write down what is to be measured, and queue the job that trains it.

    trial: the number of the configuration's trial, the best where it is None. seeds: how many fresh trainings (SEEDS).
    retrain: "train" (the default) or "train+validation"; neither is for workloads that are not trained anew. reason: of
    another look at a test set that was looked at before, by this study or by another.

    The same choice again, before anything was revealed, is the same seal; where its job has failed, it gets another.
    Raises Invalid, Forbidden, NotFound, Conflict.
    """
    study = study_for_change(study_id, actor)
    if study.workload:  # two studies of a workload are not to take each other's look for none
        Workload.objects.select_for_update(no_key=True).filter(name=study.workload).first()
    if words := hindrance_of(study):
        raise Conflict(words)
    choice = _choice(study, trial, seeds, retrain)
    former = newest_seal(study)
    if former is not None and state_of(former) != "revealed":
        if _same(former, study, choice):
            return _run_again(former, actor)
        if state_of(former) in ("waits", "runs"):
            raise Conflict(
                f"Trial {former.trial.number} is sealed already, and is being measured: wait for the result, or cancel "
                "its job to choose anew."
            )
    looks = looks_at(study).count() + looks_under_way(study).count()
    words = storable(reason).strip()
    if looks and not words:
        raise Invalid({"reason": [another_look(looks)]})
    if len(words) > LONGEST_REASON:
        raise Invalid({"reason": [f"Say it in at most {LONGEST_REASON} characters."]})
    seal = SealedChoice.objects.create(
        study=study,
        actor_id=actor.pk,
        actor_name=actor.get_username(),
        seeds=_fresh_seeds(study, choice["n_seeds"]),
        workload=study.workload,
        workload_digest=study.workload_digest,
        data_digest=study.data_digest,
        version=own_commit(),
        n_trials=study.n_ended,
        n_trials_all=trials_on(study),
        looks_before=looks,
        reason=words if looks else "",
        **{name: value for name, value in choice.items() if name != "n_seeds"},
    )
    record(
        actor=actor,
        verb="sealed a choice of",
        kind="study",
        object_id=study.pk,
        name=study.name,
        after={"trial": seal.trial.number, "retrain": seal.retrain, "seeds": seal.seeds, "reason": seal.reason},
    )
    return _run(seal, actor)


def another_look(looks: int) -> str:
    """What is asked before a test set is looked at again."""
    times = "once" if looks == 1 else f"{looks} times"
    return (
        f"This test set has been looked at {times} already. Say why it is looked at again: the reason is kept, and the "
        f"result is marked “test reused {times}”."
    )


def _choice(study: Study, number: int | None, seeds: int | None, retrain: str) -> dict[str, Any]:
    """The columns of the choice, checked. Raises Invalid with every wrong field."""
    problems, trained = Problems(), is_trained(study)
    trial = candidates(study)[0] if number is None else Trial.objects.filter(study=study, number=number).first()
    if trial is None:
        problems.add("trial", f"The study has no trial {number}.")
    elif not may_be_chosen(trial):
        problems.add("trial", f"Trial {trial.number} has no value that counts; choose one that has.")
    if trained:
        seeds, retrain = SEEDS if seeds is None else seeds, retrain or Retrain.TRAIN.value
        problems.whole("seeds", seeds, 1, MOST_SEEDS)
        problems.one_of("retrain", retrain, CHOICES)
    else:
        why = "Trials of this study have reported their test metrics themselves; nothing is trained anew. Leave it out."
        for field, value in (("seeds", seeds), ("retrain", retrain if retrain != Retrain.NONE else "")):
            if value:
                problems.add(field, why)
        seeds, retrain = 0, Retrain.NONE.value
        if trial is not None and not sealed_counts(trial):
            problems.add(
                "trial",
                f"Trial {trial.number} has reported no test metric. Let the code report one, such as test/accuracy: it "
                "is sealed until it is opened here.",
            )
    problems.raise_if_any()
    if trial is None or seeds is None:
        raise Invalid({"trial": ["Choose a trial."]})
    trial.study = study
    return {
        "trial": trial,
        "params": trial.params,
        "params_digest": params_digest(trial.params),
        "retrain": retrain,
        "epochs": epochs_of(trial, retrain) if trained else None,
        "validation": validation_scores(trial),
        "n_seeds": seeds,
    }


def params_digest(params: Mapping[str, Any]) -> str:
    """sha256 of a configuration, whatever the order of its parameters."""
    return hashlib.sha256(json.dumps(params, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _same(seal: SealedChoice, study: Study, choice: Mapping[str, Any]) -> bool:
    """Whether an unrevealed seal is of this choice, made of the same study as it is now."""
    now = (choice["trial"].pk, choice["retrain"], choice["epochs"], choice["n_seeds"], study.n_ended)
    code = (study.workload_digest, study.data_digest)
    then = (seal.trial_id, seal.retrain, seal.epochs, len(seal.seeds), seal.n_trials)
    return now == then and code == (seal.workload_digest, seal.data_digest)


def _run_again(seal: SealedChoice, actor: AbstractBaseUser) -> SealedChoice:
    if state_of(seal) != "broken":
        return seal
    study = seal.study
    record(actor=actor, verb="ran the sealed choice again of", kind="study", object_id=study.pk, name=study.name)
    return _run(seal, actor)


def _run(seal: SealedChoice, actor: AbstractBaseUser) -> SealedChoice:
    """Queue the job of a seal; what is not trained has none."""
    if seal.retrain != Retrain.NONE:
        args = {"workload": seal.workload, "digest": seal.workload_digest, "seal": seal.pk}
        job: Job = request_job(kind=KIND, actor=actor, args=args, dedupe=f"{KIND}:{seal.pk}")
        SealedChoice.objects.filter(pk=seal.pk).update(job=job)
    return SealedChoice.objects.select_related("trial", "job", "reveal", "study").get(pk=seal.pk)


def _fresh_seeds(study: Study, count: int) -> list[int]:
    """Seeds made of the study's, which none of its trials has, present or to come, and no earlier seal of it."""
    earlier = SealedChoice.objects.filter(study=study).values_list("seeds", flat=True)
    taken = {seed for seeds in earlier for seed in seeds}
    fresh: list[int] = []
    place = 0
    while len(fresh) < count:
        digest = hashlib.sha256(f"final look:{study.seed}:{place}".encode()).digest()
        seed, place = int.from_bytes(digest[:8], "big") >> 33, place + 1
        future = study.seed <= seed < study.seed + MAX_TRIALS  # trial n has the study's seed + n
        if seed not in taken and not future and not Trial.objects.filter(study=study, seed=seed).exists():
            taken.add(seed)
            fresh.append(seed)
    return fresh
