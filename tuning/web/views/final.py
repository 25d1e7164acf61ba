"""Sealing a choice on a page that asks first, and running a broken one again."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from tuning.selectors.reveals import Retrain, newest_seal, standing_before_test, state_of
from tuning.selectors.studies import may_edit, study_for
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.finalising import another_look, finalise_study
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.final import FinaliseForm
from tuning.web.views.control import Question, ask


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def finalise(request: SignedInRequest, study_id: int) -> HttpResponse:
    """The choice, asked for; POST seals it."""
    study = study_for(request.user, study_id)
    if not may_edit(request.user, study):
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may do this to {study.name!r}.")
    standing, back = standing_before_test(study), reverse("study_final", args=[study.pk])
    words = (
        "The choice is written down now and cannot be changed once a number was shown. "
        + ("A worker then trains it once for each seed, and opens the test split last." if standing.trains else "")
        + (f" {another_look(standing.looks)}" if standing.looks else "")
    )
    title = f"Look at the test set of {study.name}?"
    question = Question(title, words, "Seal and measure", "studies", back, study.name)
    form = FinaliseForm(study, standing, request.POST or None)
    if request.method != "POST":
        return ask(request, question, form, standing.hindrance)
    try:
        if form.is_valid():
            seal = finalise_study(study_id=study.pk, actor=request.user, **form.wanted())
            done = "The test set was opened." if state_of(seal) == "revealed" else "The choice is sealed."
            messages.success(request, done)
            return redirect(back)
    except Invalid as error:
        form.take_errors(error)
    except Conflict as error:
        return ask(request, question, form, error.message, status=409)
    return ask(request, question, form, status=400)


@signed_in
@require_POST
def run_again(request: SignedInRequest, study_id: int) -> HttpResponse:
    """The job of a broken seal, once more: the same choice, so that it is no second look."""
    study = study_for(request.user, study_id)
    seal = newest_seal(study)
    if seal is not None:
        trained = seal.retrain != Retrain.NONE
        more: dict[str, Any] = {"seeds": len(seal.seeds), "retrain": seal.retrain} if trained else {}
        try:
            finalise_study(
                study_id=study.pk, actor=request.user, trial=seal.trial.number, reason=seal.reason, **more
            )
            messages.success(request, "The sealed choice is measured again; nothing of it was shown before.")
        except (Conflict, Invalid) as error:
            messages.error(request, error.message)
    return redirect("study_final", study.pk)
