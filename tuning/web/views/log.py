"""What a trial printed: the ends of its attempts' logs, the lines with some words, and all of it as a file."""

from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tuning.selectors.errors import NotFound
from tuning.selectors.logs import attempt_log, attempt_of_trial, log_parts, search_log
from tuning.selectors.trials import trial_for
from tuning.web.errors import SignedInRequest, signed_in


@signed_in
@require_safe
def trial_log(request: SignedInRequest, trial_id: int) -> HttpResponseBase:
    """The logs of all attempts, the newest first; ?q= searches them, ?download= gives one attempt's as a file."""
    trial = trial_for(request.user, trial_id)
    if "download" in request.GET:
        return _file(trial, request.GET["download"])
    words = request.GET.get("q", "").strip()
    entries = [_entry(attempt, words) for attempt in trial.attempts.order_by("-fence")]
    return render(
        request,
        "tuning/trial_log.html",
        {"section": "studies", "trial": trial, "study": trial.study, "logs": entries, "q": words},
    )


def _entry(attempt: Any, words: str) -> dict[str, Any]:
    try:
        if words:
            return {"attempt": attempt, "search": search_log(attempt, words), "missing": ""}
        return {"attempt": attempt, "log": attempt_log(attempt), "missing": ""}
    except NotFound as error:
        return {"attempt": attempt, "missing": error.message}


def _file(trial: Any, fence: str) -> HttpResponseBase:
    """The log of one attempt, as it lies on the disk. Raises NotFound."""
    if not fence.isdecimal() or len(fence) > 9:
        raise NotFound(f"{fence[:20]!r} is no attempt; the log page has the links.")
    attempt = attempt_of_trial(trial, int(fence))
    answer = StreamingHttpResponse(log_parts(attempt), content_type="text/plain; charset=utf-8")
    name = f"study-{trial.study_id}-trial-{trial.number}-attempt-{attempt.fence}.log"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
