"""What a trial process is told to do: the `start` message of the runner's protocol."""

import hashlib
from typing import Any

from django.conf import settings

from tuning.models import Job, Slot, Trial
from tuning.selectors.advice_tests import horizon_of
from tuning.selectors.artifacts import final_folder, opened, trial_folder
from tuning.selectors.reveals import seal_numbered
from tuning.selectors.work import workload_document
from tuning.services.scheduling import resource_of_run
from tuning.workers.checkpoints import checkpoint_folder

FENCES = 1000  # more claims than a job may have: jobs of one seal share its folder


def trial_start(trial: Trial, slot: Slot) -> dict[str, Any]:
    """The start message for one attempt of a trial. Raises NotFound where its checkpoint's file is gone."""
    study = trial.study
    document = workload_document(study.workload)
    resource = resource_of_run(study, trial)
    common = {
        "workload": study.workload,
        "source": document.get("source") or "",
        "digest": study.workload_digest,
        "data_digest": study.data_digest if study.workload_digest else None,  # "" asks for the first pin
        "params": trial.params,
        "seed": trial.seed,
        "trial": trial.number,
        "fence": trial.fence,
        "threads": slot.threads,
        "device": device_of(slot),
        "deterministic": study.deterministic,
        "metric": study.metric,
    }
    if document.get("kind") == "objective":
        given = {**(trial.fixed_params or {}), **trial.params}
        return {
            "type": "start",
            "kind": "objective",
            "spec": {**common, "params": given, "resource": resource, "resume_step": trial.resource_done},
        }
    if document.get("kind") == "command":
        if trial.checkpoint:
            opened(trial.checkpoint)  # its note lies beside the program's own files: gone together
        return {
            "type": "start",
            "kind": "command",
            "spec": {
                **common,
                "resource": resource,
                "resume_step": trial.resource_done,
                "checkpoint_dir": str(checkpoint_folder(trial)),
                "program_dir": str(trial_folder(trial) / "program"),
            },
        }
    return {
        "type": "start",
        "kind": "train",
        "spec": {
            **common,
            "epochs": resource or study.max_resource or document.get("max_resource"),
            "max_epochs": horizon_of(trial),
            "constraints": study.constraints,
            "direction": study.direction,
            "objective": study.objective,
            "resume_from": str(opened(trial.checkpoint)) if trial.checkpoint else None,
            "checkpoint_dir": str(checkpoint_folder(trial)),
        },
    }


def hash_key() -> str:
    """The key of content hashes, as hex: the same on every host of an installation, useless outside it."""
    return hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"hpweb-splits").hexdigest()


def lr_range_spec(args: dict[str, Any], slot: Slot) -> dict[str, Any]:
    """What a process is told of a learning-rate test: its plan, and what it may use."""
    wanted = ("workload", "digest", "parameter", "low", "high", "steps", "seed", "curves")
    return {
        **{name: args[name] for name in wanted},
        "source": workload_document(args["workload"]).get("source") or "",
        "device": device_of(slot),
        "threads": slot.threads,
    }


def job_start(job: Job, slot: Slot, given_up: dict[str, str] | None = None) -> dict[str, Any]:
    """The start message for a job, for a describe with the sources that it leaves out and why.

    Raises ValueError for a kind that trial processes do not know.
    """
    if job.kind == "describe":
        return {"type": "start", "kind": "describe", "spec": {"given_up": given_up or {}}}
    if job.kind == "split":
        workload = job.args["workload"]
        source = workload_document(workload).get("source") or ""
        return {
            "type": "start",
            "kind": "split",
            "spec": {"workload": workload, "source": source, "hash_key": hash_key()},
        }
    if job.kind == "lr_range":
        return {"type": "start", "kind": "lr_range", "spec": lr_range_spec(job.args, slot)}
    if job.kind == "preflight":
        workload = job.args["workload"]
        return {
            "type": "start",
            "kind": "preflight",
            "spec": {
                "workload": workload,
                "source": workload_document(workload).get("source") or "",
                "digest": job.args["digest"],
                "hash_key": hash_key(),
                "threads": slot.threads,
                "device": device_of(slot),
            },
        }
    if job.kind == "finalise":
        return {"type": "start", "kind": "finalise", "spec": finalise_spec(job, slot)}
    raise ValueError(f"There is no job of kind {job.kind!r}.")


def finalise_spec(job: Job, slot: Slot) -> dict[str, Any]:
    """What a process is told of a sealed choice. Its checkpoints stay with the seal, for the next attempt."""
    seal = seal_numbered(job.args["seal"])
    study = seal.study
    return {
        "workload": seal.workload,
        "source": workload_document(seal.workload).get("source") or "",
        "digest": seal.workload_digest,
        "data_digest": seal.data_digest or None,
        "params": seal.params,
        "seeds": seal.seeds,
        "epochs": seal.epochs,
        "max_epochs": study.max_resource,
        "retrain": seal.retrain,
        "metric": study.metric,
        "direction": study.direction,
        "objective": study.objective,
        "checkpoint_dir": str(final_folder(seal)),
        "hash_key": hash_key(),
        "fence": job.pk * FENCES + job.fence,
        "device": device_of(slot),
        "threads": slot.threads,
        "deterministic": study.deterministic,
    }


def device_of(slot: Slot) -> str:
    """As torch calls it; which GPU a process sees its environment says."""
    return "cpu" if slot.device.uuid == "cpu" else "cuda"
