"""What a person should look at on a study's page: at most three findings, the worst first."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tuning.findings import Finding

MOST = 3
REASONS = {
    "diverged": (
        "diverged",
        "The loss became infinite or not a number: lower the top of the learning rate's range.",
    ),
    "out_of_memory": ("ran out of memory", "Lower the batch size or the model's width in the search space."),
    "code_error": (
        "stopped with an error in the workload's code",
        "A failed trial's page has the traceback.",
    ),
    "deadline": (
        "missed their deadline",
        "Raise the study's time limit, or give trials less to do; a failed trial's page says how far it came.",
    ),
    "lost_host": (
        "lost their process more often than a trial is tried again",
        "Look at the host's memory and its logs.",
    ),
    "disk_full": ("found the disk full", "Make room; the checkpoints that were there still stand."),
}
ORDER = {"error": 0, "warning": 1, "info": 2}


def study_findings(
    study: Any,
    reasons: Counter[str],
    hindrances: Sequence[Finding],
    ranges: Sequence[Finding] = (),
    predicted: Finding | None = None,
    worth: Sequence[Finding] = (),
) -> list[Finding]:
    """What stands in the study's way.

    reasons: how many trials failed for each reason code. ranges: what the trials say about the space, of which remarks
    ("info") but FREEZE are left out: they stand beside the row where the ranges are changed. predicted: how the
    forecast came out, which is worth a look where the study took more. worth: whether another hour is not worth it.
    """
    found = [*hindrances, *worth, *(one for one in ranges if one.severity != "info" or one.rule == "FREEZE")]
    if predicted is not None and predicted.rule == "prediction-missed":
        found.append(predicted)
    told = {"diverged"} if any(finding.rule == "TOO-WIDE" for finding in ranges) else set()
    if study.state_reason and study.state in ("PAUSED", "STOPPED"):
        severity = "info" if study.state == "STOPPED" else "error"  # hpweb has paused it for a trouble
        found.append(Finding("study-state", severity, f"The study is {study.state.lower()}: {study.state_reason}."))
    failed = {code: count for code, count in reasons.items() if code in REASONS and code not in told}
    for code, count in sorted(failed.items(), key=lambda item: -item[1]):
        what, remedy = REASONS[code]
        share = count / max(1, study.n_ended)
        found.append(
            Finding(
                f"failed-{code}",
                "error" if share > 0.25 else "warning",
                f"{count:,} of {study.n_ended:,} trials {what}. {remedy}",
                {"count": count, "share": share},
            )
        )
    return sorted(found, key=lambda finding: ORDER[finding.severity])[:MOST]
