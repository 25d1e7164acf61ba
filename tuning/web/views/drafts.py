"""The drafts of new studies: kept while a person types, thrown away, narrowed by a learning-rate test, or made of a
file."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from tuning.selectors.drafts import draft_of
from tuning.selectors.lr_ranges import lr_range_job
from tuning.services.drafts import discard_draft, save_draft
from tuning.services.errors import Conflict, Invalid, NotFound
from tuning.web.beginnings import SCRIPT, first_rows, initial, name_of, source_of, ticked, usable
from tuning.web.drafts import keep, narrow, new_key, typed, written
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.files import form_settings, read_settings, rows_of, text_of, unknown_fields, warm_start_of
from tuning.web.forms.editing import whole_number
from tuning.web.forms.space import SpaceRows
from tuning.web.forms.study import StudyForm
from tuning.web.views.creation import choice


@signed_in
@require_POST
def keep_typed(request: SignedInRequest) -> HttpResponse:
    """While a person types: what stands in the form is kept, and nothing is said about it yet."""
    kept = keep(request, usable(request.GET.get("workload", SCRIPT)), request.POST, source_of(request))
    return render(request, "tuning/_kept.html", {"kept": kept})


@signed_in
@require_POST
def discard(request: SignedInRequest, key: str) -> HttpResponse:
    """What was typed is thrown away."""
    if discard_draft(owner=request.user, key=key):
        messages.success(request, "The draft is gone.")
    return redirect("study_new")


@signed_in
@require_POST
def use_learning_rate(request: SignedInRequest, key: str) -> HttpResponse:
    """The range that a learning-rate test suggests takes the place of the draft's."""
    draft = draft_of(request.user, key)
    if draft is None:
        raise NotFound("There is no such draft any more: its study may have been created.")
    data = _narrowed(request, draft.workload, draft.fields)
    save_draft(owner=request.user, key=key, workload=draft.workload, fields=data, source=draft.source)
    query = {"from": draft.source_id} if draft.source_id else {"workload": draft.workload or SCRIPT}
    return redirect(f"{reverse('study_new')}?{urlencode({**query, 'draft': key})}#step-space")


@signed_in
@require_POST
def begin_with_learning_rate(request: SignedInRequest, name: str) -> HttpResponse:
    """A new study of the workload, with the range that a learning-rate test suggests in place of its own."""
    workload = usable(name)
    fields = written(StudyForm(workload, initial=initial(workload)), first_rows(workload))
    key = new_key()
    save_draft(owner=request.user, key=key, workload=name, fields=_narrowed(request, name, fields))
    return redirect(f"{reverse('study_new')}?{urlencode({'workload': name, 'draft': key})}#step-space")


def _narrowed(request: SignedInRequest, workload: str, fields: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The fields with the range of the test and curve that were sent, which the person is told.

    Raises NotFound where there is no such test of the workload.
    """
    data = typed(fields)
    job = lr_range_job(request.user, whole_number(request.POST.get("job")) or 0)
    if job.args["workload"] != workload:
        raise NotFound(f"The learning-rate test {job.pk} is one of {job.args['workload']}, not of {workload}.")
    curve = request.POST.get("curve", "")
    messages.success(request, narrow(data, job, int(curve) if curve.isdecimal() and len(curve) < 4 else 0))
    return dict(data.lists())


@signed_in
@require_POST
def study_from_file(request: SignedInRequest) -> HttpResponse:
    """A study's settings in YAML or JSON, typed into the form: there they are checked as if a person had typed them."""
    text = request.POST.get("text", "")
    try:
        text = text_of(request)
        settings = read_settings(text)
        workload = usable(str(settings.pop("workload", "") or SCRIPT))
        form = StudyForm(workload, initial={**initial(workload), **form_settings(settings)})
        space = settings.get("space")
        rows = first_rows(workload) if space is None else SpaceRows(initial=rows_of(space))
        unknown_fields(settings, form)
        learnt = dict(ticked(warm_start_of(settings)).lists())
        key, name = new_key(), str(workload["name"]) if workload else ""
        save_draft(owner=request.user, key=key, workload=name, fields=written(form, rows) | learnt)
    except (Invalid, Conflict, NotFound) as error:
        return choice(request, error.message.removeprefix("file: "), text, status=400)
    return redirect(f"{reverse('study_new')}?{urlencode({'workload': name_of(workload), 'draft': key})}")
