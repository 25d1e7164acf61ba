"""Changing what is at work, a page for each change: it says what will happen, asks for what is needed, and does it.

Opening a page changes nothing; its button sends the same address a POST. No script is needed to be asked first.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from tuning.selectors.budget import expected_trials
from tuning.selectors.errors import NotFound
from tuning.selectors.hosts import HostRow, hosts_overview
from tuning.selectors.studies import may_edit, study_for
from tuning.selectors.trials import trial_for
from tuning.services import lifecycle
from tuning.services.archiving import archive_study, unarchive_study
from tuning.services.draining import end_drain, start_drain
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.exclusion import exclude_trial, include_trial
from tuning.services.extending import extend_study
from tuning.services.retrying import retry_trial
from tuning.services.studies import delete_study
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.control import ControlForm, DrainForm, ExtendForm, ReasonForm

ASKED = ["GET", "HEAD", "POST"]


@dataclass(frozen=True)
class Question:
    """What a page asks before something happens."""

    title: str
    text: str
    button: str
    section: str
    back: str  # where "Keep everything as it is" leads
    crumb: str
    danger: bool = True


def ask(request: HttpRequest, question: Question, form: Any = None, error: str = "", status: int = 200) -> HttpResponse:
    """The page of a question; `error`: what was refused, said above the button."""
    context = {"section": question.section, "question": question, "form": form, "error": error}
    return render(request, "tuning/ask.html", context, status=status)


# --- studies ----------------------------------------------------------------------------------------------------------
VERBS = {
    "start": (lifecycle.start_study, "The study is running."),
    "hold": (lifecycle.hold_study, "The study does not start by itself any more."),
    "pause": (lifecycle.pause_study, "The study is paused; running trials went back to their last checkpoint."),
    "resume": (lifecycle.resume_study, "The study goes on."),
    "stop": (lifecycle.stop_study, "The study is stopped."),
    "archive": (archive_study, "The study is archived: it left the list, and keeps all that it has."),
    "unarchive": (unarchive_study, "The study is in the list again."),
}


def _study_question(study: Any, verb: str) -> Question | None:
    """The question before what cannot be taken back; None for a verb that needs none."""
    back = reverse("study", args=[study.pk])
    if verb == "stop":
        ends = f"{study.n_running} running and {study.n_waiting} waiting trials are cancelled"
        words = f"Now {ends}, and it cannot be resumed. What it has found stays."
        return Question(f"Stop {study.name}?", words, "Stop the study", "studies", back, study.name)
    if verb == "delete":
        words = (
            f"It goes with its {study.n_created} trials, their curves, checkpoints and logs, for good. What was done "
            "stays in the record. A study that has looked at its test set cannot be deleted; archive it."
        )
        return Question(f"Delete {study.name}?", words, "Delete the study", "studies", back, study.name)
    return None


@signed_in
@require_http_methods(ASKED)
def study_action(request: SignedInRequest, study_id: int, verb: str) -> HttpResponse:
    """Start, pause, resume, stop or delete; what the state forbids is said on the study's page."""
    study = study_for(request.user, study_id)
    question = _study_question(study, verb)
    if request.method != "POST":
        if question is None:
            return HttpResponseNotAllowed(["POST"])
        _only(may_edit(request.user, study), study)
        return ask(request, question)
    try:
        if verb == "delete":
            delete_study(study=study, actor=request.user)
            messages.success(request, f"The study {study.name} is deleted.")
            return redirect("studies")
        if verb not in VERBS:
            raise Http404(f"There is nothing named {verb!r} to do to a study.")
        service, words = VERBS[verb]
        more = {"despite": request.POST.get("despite", "")} if verb == "start" else {}
        changed = service(study_id=study.pk, actor=request.user, **more)
        if changed.state == "FINISHED" and "archive" not in verb:
            messages.info(request, "The study had finished already.")
        elif verb == "start" and changed.state == "READY":
            messages.info(request, changed.state_reason)
        else:
            messages.success(request, words)
    except Conflict as error:
        messages.error(request, error.message)
    return redirect("study", study.pk)


def _only(allowed: bool, study: Any) -> None:
    if not allowed:
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may do this to {study.name!r}.")


@signed_in
@require_http_methods(ASKED)
def extend(request: SignedInRequest, study_id: int) -> HttpResponse:
    """More trials; a finished study runs again."""
    study = study_for(request.user, study_id)
    _only(may_edit(request.user, study), study)
    finished = study.state == "FINISHED"
    question = Question(
        f"Extend {study.name}",
        f"It has {study.n_created} trials now{' and has finished; with more it runs again' if finished else ''}.",
        "Extend and run" if finished else "Extend",
        "studies",
        reverse("study", args=[study.pk]),
        study.name,
        danger=False,
    )
    form = ExtendForm(study, request.POST or None)
    if request.method != "POST":
        return ask(request, question, form)
    try:
        if form.is_valid():
            study = extend_study(study_id=study.pk, actor=request.user, **form.changes())
            messages.success(
                request,
                f"The study has {expected_trials(study) or 'no fixed number of'} trials and is {study.state.lower()}.",
            )
            return redirect("study", study.pk)
    except Invalid as error:
        form.take_errors(error)
    except Conflict as error:
        return ask(request, question, form, error.message, status=409)
    return ask(request, question, form, status=400)


# --- trials -----------------------------------------------------------------------------------------------------------
def _trial_question(trial: Any, verb: str) -> Question:
    title, text, button = {
        "cancel": (
            f"Cancel trial {trial.number}?",
            "It ends as failed and is not tried again by itself; its process is ended within a second.",
            "Cancel the trial",
        ),
        "retry": (
            f"Retry trial {trial.number}?",
            "A new trial of the same configuration goes on from its last checkpoint, or starts anew where there is "
            "none. It counts as one of the study's trials.",
            "Retry the trial",
        ),
        "exclude": (
            f"Exclude trial {trial.number}?",
            "It no longer counts for the best, the leaderboard, the charts and the sampler; it stays in the list with "
            f"your reason, and can be included again.{' It is cancelled first.' if trial.is_open else ''}",
            "Exclude the trial",
        ),
        "include": (
            f"Include trial {trial.number} again?",
            f"It was excluded by {trial.excluded_by}: {trial.excluded_reason}",
            "Include the trial",
        ),
    }[verb]
    back, crumb = reverse("trial", args=[trial.pk]), f"Trial {trial.number} of {trial.study.name}"
    return Question(title, text, button, "studies", back, crumb, danger=verb in ("cancel", "exclude"))


@signed_in
@require_http_methods(ASKED)
def trial_action(request: SignedInRequest, trial_id: int, verb: str) -> HttpResponse:
    """Cancel, retry, exclude or include a trial; what is refused is said beside the button."""
    trial = trial_for(request.user, trial_id)
    question = _trial_question(trial, verb)
    form = ReasonForm(request.POST or None) if verb == "exclude" else None
    if request.method != "POST":
        _only(may_edit(request.user, trial.study), trial.study)
        return ask(request, question, form)
    key: dict[str, Any] = {"trial_id": trial.pk, "actor": request.user}
    try:
        if verb == "cancel":
            ended = lifecycle.cancel_trial(**key)
            if ended.reason_code == "cancelled":
                messages.success(request, f"Trial {trial.number} is cancelled.")
            else:
                messages.info(request, f"Trial {trial.number} had ended already.")
        elif verb == "retry":
            new = retry_trial(**key)
            messages.success(request, f"Trial {new.number} tries again what trial {trial.number} was to do.")
            return redirect("trial", new.pk)
        elif verb == "include":
            include_trial(**key)
            messages.success(request, f"Trial {trial.number} counts again.")
        elif not _excluded(form, key):
            return ask(request, question, form, status=400)
        else:
            messages.success(request, f"Trial {trial.number} is excluded: it counts no longer.")
    except Conflict as error:
        return ask(request, question, form, error.message, status=409)
    return redirect("trial", trial.pk)


def _excluded(form: ControlForm | None, key: dict[str, Any]) -> bool:
    if form is None or not form.is_valid():
        return False
    try:
        exclude_trial(**key, reason=form.cleaned_data["reason"])
    except Invalid as error:
        form.take_errors(error)
        return False
    return True


# --- hosts ------------------------------------------------------------------------------------------------------------
def _host(host_id: int) -> HostRow:
    row = next((row for row in hosts_overview() if row.host.pk == host_id), None)
    if row is None:
        raise NotFound(f"There is no host {host_id}.")
    return row


@signed_in
@require_http_methods(ASKED)
def drain(request: SignedInRequest, host_id: int) -> HttpResponse:
    """Take a host out of service."""
    row = _host(host_id)
    busy = sum(bool(slot.trial or slot.job) for device in row.devices for slot in device.slots)
    question = Question(
        f"Drain {row.host.name}?",
        "It claims nothing more until somebody lets it work again, also when its workers are started anew. Now "
        f"{busy} of its slots {'is' if busy == 1 else 'are'} busy.",
        "Drain the host",
        "workers",
        reverse("workers"),
        "Workers",
    )
    if not request.user.is_staff:
        raise Forbidden("Only administrators may drain a host, because the trials of all run there.")
    form = DrainForm(request.POST or None)
    if request.method != "POST":
        return ask(request, question, form)
    now = request.POST.get("now") == "1"
    host = start_drain(host_id=host_id, actor=request.user, now=now)
    what = "go back to waiting at their next checkpoint" if host.evacuating else "run to their end"
    messages.success(request, f"{row.host.name} claims nothing more; its trials {what}.")
    return redirect("workers")


@signed_in
@require_POST
def undrain(request: SignedInRequest, host_id: int) -> HttpResponse:
    """Let a drained host work again."""
    row = _host(host_id)
    end_drain(host_id=host_id, actor=request.user)
    messages.success(request, f"{row.host.name} claims work again.")
    return redirect("workers")
