"""The kinds of jobs: where each runs, for how long at most, and what helps where that was not enough.

A lane is what a slot takes. Trials, and jobs that train, run on the slots of devices; there such jobs go before waiting
trials. Short jobs never wait behind a trial: each host has one place without a device for those that a person waits for
(QUICK), and one for those that read whole data sets and may take half an hour (BULK), so that these hold up nobody. The
places are slots like others, with a lock, a lease and hints, on the row NO_DEVICE of their host. The host's cluster has
a worker for each of them, as it has for each slot of a device: a hint for a free place finds a free worker, whatever
the trials do, so that both may share the host's queue.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from tuning.models import Job, Slot

Lane = Slot.Lane


@dataclass(frozen=True)
class JobKind:
    """What a kind's title is for people, in which lane it runs, and what to do about one that took too long."""

    title: str
    lane: Lane
    remedy: str


KINDS = {
    "describe": JobKind(
        "look for workloads",
        Lane.QUICK,
        "A file that loops or waits when it is imported is named on the workloads page: move such work into a method. "
        "Where all of them together only take long, raise HPWEB_DESCRIBE_SECONDS.",
    ),
    "split": JobKind(
        "count data",
        Lane.BULK,
        "It reads every example of the workload's splits once: look whether data() waits for something, move the data "
        "to a faster disk, or raise HPWEB_SPLIT_SECONDS.",
    ),
    "lr_range": JobKind(
        "test learning rates",
        Lane.DEVICE,
        "A curve takes as many training steps as the request says, and the data are read once before: ask for fewer "
        "steps or curves, or raise HPWEB_LR_RANGE_SECONDS.",
    ),
    "preflight": JobKind(
        "check before tuning",
        Lane.DEVICE,
        "It trains the workload with its defaults for a short time, and each check has a limit of its own: look "
        "whether data() or a training step waits for something, or raise HPWEB_PREFLIGHT_SECONDS.",
    ),
    "finalise": JobKind(
        "take the final look",
        Lane.DEVICE,
        "It trains the sealed configuration once for each seed, and goes on from its checkpoints when it is run again: "
        "look whether data() or a training step waits for something, or raise HPWEB_FINALISE_SECONDS.",
    ),
}


def lane_of(kind: str) -> Lane:
    """Where jobs of the kind run; of a kind that is not listed, on a device."""
    return KINDS[kind].lane if kind in KINDS else Lane.DEVICE


def in_lane(lane: str) -> Q:
    """The jobs that a slot of the lane may run, as a filter on Job."""
    apart = [name for name, kind in KINDS.items() if kind.lane != Lane.DEVICE]
    return ~Q(kind__in=apart) if lane == Lane.DEVICE else Q(kind__in=[name for name in apart if lane_of(name) == lane])


def limit_of(kind: str) -> float | None:
    """How many seconds a job of the kind may run on this host; None for a kind without a limit."""
    seconds: float | None = settings.JOB_SECONDS.get(kind)
    return seconds


def kind_title(kind: str) -> str:
    """What jobs of the kind do, for people."""
    return KINDS[kind].title if kind in KINDS else kind


def title_of(job: Job) -> str:
    """What the job does: "count data of digits_mlp"."""
    title = kind_title(job.kind)
    workload = job.args.get("workload")
    return f"{title} of {workload}" if workload else title
