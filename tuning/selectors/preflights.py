"""Reading preflights: the newest of a workload's code and data, and whether a study may start after it."""

from dataclasses import dataclass
from typing import Any

from tuning.models import Preflight, Study, Workload

State = Preflight.State
FAILED = "failed"  # the status of a check that keeps a study from starting


@dataclass(frozen=True)
class Standing:
    """How a study stands before its start.

    gated: whether its start waits for a preflight at all: scripts, functions and programs are not held up.
    """

    gated: bool
    preflight: Preflight | None

    @property
    def state(self) -> str:
        """ "none", or a state of Preflight."""
        return "none" if self.preflight is None else str(self.preflight.state)

    @property
    def open(self) -> bool:
        return not self.gated or self.state == State.PASSED

    def words(self) -> str:
        """Why the study may not start, in a sentence; empty where it may."""
        if self.open:
            return ""
        if self.preflight is None:
            return "Its preflight has not run yet."
        if self.preflight.state == State.OPEN:
            return "Its preflight has not ended yet."
        if self.preflight.state == State.BROKEN:
            return f"Its preflight could not run to its end: {last_line(self.preflight.error)}"
        titles = [str(check["title"]) for check in failed_checks(self.preflight)]
        return f"Its preflight has failed: {', '.join(titles)}."


def newest_preflight(workload: str, digest: str, data_digest: str = "") -> Preflight | None:
    """The newest of this code; with data, of these or of unknown ones."""
    rows = Preflight.objects.select_related("job").filter(workload=workload, digest=digest)
    if data_digest:
        rows = rows.filter(data_digest__in=["", data_digest])
    return rows.order_by("-pk").first()


def standing_of(study: Study) -> Standing:
    """Whether the study's start is held up, and by which preflight: of the code that it runs or would run."""
    row = Workload.objects.filter(name=study.workload).first() if study.workload else None
    if row is None:
        return Standing(False, None)
    code, data = study.workload_digest, study.data_digest
    if study.state == Study.State.READY and not row.error and row.digest != code:
        code, data = row.digest, ""
    return Standing(row.document.get("kind") == "pytorch", newest_preflight(study.workload, code, data))


def failed_checks(preflight: Preflight) -> list[dict[str, Any]]:
    return [check for check in preflight.checks if check.get("status") == FAILED]


def seconds_per_epoch(workload: str, digest: str) -> float | None:
    """As the newest preflight of this code has measured it; None where none has."""
    rows = Preflight.objects.filter(workload=workload, digest=digest).order_by("-pk")[:5]
    return next((float(row.facts["seconds_per_epoch"]) for row in rows if row.facts.get("seconds_per_epoch")), None)


def last_line(error: str) -> str:
    return error.strip().splitlines()[-1] if error.strip() else "it gave no reason"
