"""Trying an advice on a trial, and the study that follows it up."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from tuning.selectors.clones import settings_of
from tuning.selectors.diagnostics import trial_verdict
from tuning.selectors.studies import study_for
from tuning.selectors.trials import trial_for
from tuning.selectors.tried_advice import follow_up_of
from tuning.services.drafts import save_draft
from tuning.services.errors import Conflict, Invalid
from tuning.services.trying import try_advice
from tuning.web.beginnings import initial_clone, ticked, usable
from tuning.web.drafts import new_key, written
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.space import SpaceRows, initial_rows
from tuning.web.forms.study import StudyForm


@signed_in
@require_POST
def try_one(request: SignedInRequest, trial_id: int) -> HttpResponse:
    """Start the paired runs of the advice that the button names."""
    trial = trial_for(request.user, trial_id)
    try:
        test = try_advice(trial_id=trial.pk, actor=request.user, action=request.POST.get("action", ""))
    except (Conflict, Invalid) as error:
        messages.error(request, error.message)
    else:
        waits = test.study is not None and test.study.state == "READY"
        words = test.study.state_reason if waits and test.study else "The runs are queued; what they show appears here."
        messages.success(request, words)
    return redirect(f"{reverse('trial', args=[trial.pk])}#verdict")


@signed_in
@require_POST
def follow_up(request: SignedInRequest, trial_id: int) -> HttpResponse:
    """The form of a study like this one, with the parameter of the advice added or its range widened."""
    trial = trial_for(request.user, trial_id)
    study = study_for(request.user, trial.study_id)
    verdict, action = trial_verdict(trial), request.POST.get("action", "")
    advice = next((one for one in verdict.advice if one.action == action), None) if verdict is not None else None
    changes = follow_up_of(trial, advice) if advice is not None else {}
    try:
        if advice is None or not changes:
            raise Conflict("The study searches where this advice points already: there is nothing to widen.")
        workload = usable(study.workload or "script")
        settings = {**settings_of(request.user, study), **changes}
        fields = initial_clone(study, settings, QueryDict())
        fields |= {"name": f"{study.name[:80]}, {action.replace('_', ' ')}"[:120]}
        form, rows = StudyForm(workload, initial=fields), SpaceRows(initial=initial_rows(settings["space"] or {}))
        key, learnt = new_key(), dict(ticked(settings["warm_start"]).lists())
        save_draft(
            owner=request.user, key=key, workload=study.workload, fields=written(form, rows) | learnt, source=study
        )
    except (Conflict, Invalid) as error:
        messages.error(request, error.message)
        return redirect("trial", trial.pk)
    return redirect(f"{reverse('study_new')}?{urlencode({'from': study.pk, 'draft': key})}#step-space")
