"""Reading what the workers found: workloads and their errors."""

from tuning.models import Job, Split, Study, Workload
from tuning.selectors.errors import NotFound

SEARCHES = 50  # the newest that are looked at


def workload_list() -> list[Workload]:
    """All workloads, usable ones first, by name."""
    return sorted(Workload.objects.all(), key=lambda row: (bool(row.error), row.name))


def workload_named(name: str) -> Workload:
    """One workload. Raises NotFound."""
    row = Workload.objects.filter(name=name).first()
    if row is None:
        raise NotFound(f"There is no workload named {name!r}; Refresh on the workloads page looks for new files.")
    return row


def split_of(workload: str) -> Split | None:
    """The newest split of a workload's data, or None while no worker has counted it."""
    return Split.objects.filter(workload=workload).order_by("-pk").first() if workload else None


def describe_pending() -> bool:
    """Whether a job that looks for workloads is waiting or running."""
    return Job.objects.filter(kind="describe", state__in=[Job.State.WAITING, Job.State.RUNNING]).exists()


def describe_failures() -> list[tuple[str, str]]:
    """Whose newest search for workloads has failed, and why: (host, error); "" for one that any host might run."""
    newest: dict[str, Job] = {}
    for job in Job.objects.filter(kind="describe").order_by("-pk")[:SEARCHES]:
        newest.setdefault(str(job.args.get("host", "")), job)
    return sorted((host, job.error) for host, job in newest.items() if job.state == Job.State.FAILED)


def kind_of(workload: str) -> str:
    """Of which kind the workload is: pytorch, objective or command; "" for scripts, and where none is known."""
    document = Workload.objects.filter(name=workload).values_list("document", flat=True).first() or {}
    return str(document.get("kind") or "")


def unit_of(study: Study) -> str:
    """What a step of the study's trials is called, in the plural: "epochs", mostly; "steps" where nobody says so."""
    document = Workload.objects.filter(name=study.workload).values_list("document", flat=True).first() or {}
    return str(document.get("resource_unit") or "steps")
