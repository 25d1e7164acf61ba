"""Sharing the devices: keeping one for oneself, giving it back, and how many trials of a person run at once."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from tuning.selectors.errors import NotFound
from tuning.selectors.hosts import DeviceRow, hosts_overview
from tuning.selectors.sharing import PersonRow, people_overview
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.reserving import release_device, reserve_device
from tuning.services.sharing import set_cap
from tuning.web.errors import SignedInRequest, signed_in
from tuning.web.forms.control import CapForm, ReserveForm
from tuning.web.views.control import ASKED, Question, ask


def _device(device_id: int) -> DeviceRow:
    rows = (row for host in hosts_overview() for row in host.devices)
    row = next((row for row in rows if row.device.pk == device_id), None)
    if row is None:
        raise NotFound(f"There is no device {device_id}.")
    return row


def _person(person_id: int) -> PersonRow:
    row = next((row for row in people_overview() if row.user.pk == person_id), None)
    if row is None:
        raise NotFound(f"There is no person {person_id}.")
    return row


@signed_in
@require_http_methods(ASKED)
def reserve(request: SignedInRequest, device_id: int) -> HttpResponse:
    """Keep a device for oneself, or as an administrator for anybody."""
    row, me = _device(device_id), request.user.get_username()
    busy = sum(slot.trial is not None for slot in row.slots)
    goes_on = " The trial that runs there now goes on to its end." if busy == 1 else ""
    if busy > 1:
        goes_on = f" The {busy} trials that run there now go on to their end."
    which = "" if row.device.uuid == "cpu" else f" It is {row.device.uuid}."  # a host may have several of a kind
    question = Question(
        f"Reserve {row.device}",
        f"Until then only one person's trials start on it, and jobs.{which}{goes_on}",
        "Reserve the device",
        "workers",
        reverse("workers"),
        "Workers",
        danger=False,
    )
    names = [person.user.get_username() for person in people_overview()] if request.user.is_staff else [me]
    form = ReserveForm(names, me, request.POST or None)
    if request.method != "POST":
        return ask(request, question, form)
    try:
        if form.is_valid():
            reserve_device(device_id=device_id, actor=request.user, **form.cleaned_data)
            messages.success(request, f"{row.device} is reserved for {form.cleaned_data.get('person') or me}.")
            return redirect("workers")
    except Invalid as error:
        form.take_errors(error)
    except Conflict as error:
        return ask(request, question, form, error.message, status=409)
    return ask(request, question, form, status=400)


@signed_in
@require_POST
def release(request: SignedInRequest, device_id: int) -> HttpResponse:
    """Give a device back."""
    device = release_device(device_id=device_id, actor=request.user)
    messages.success(request, f"{device} is there for everybody again.")
    return redirect("workers")


@signed_in
@require_http_methods(ASKED)
def cap(request: SignedInRequest, person_id: int) -> HttpResponse:
    """How many trials of a person may run on workers at once."""
    if not request.user.is_staff:
        raise Forbidden("Only administrators may set how many trials of a person run at once.")
    row = _person(person_id)
    name = row.user.get_username()
    question = Question(
        f"Cap of {name}",
        f"How many trials of {name} may run on workers at once, over all their studies: {row.running} "
        f"{'runs' if row.running == 1 else 'run'} now. What runs goes on to its end.",
        "Set the cap",
        "workers",
        reverse("workers"),
        "Workers",
        danger=False,
    )
    form = CapForm(row.own_cap, settings.MAX_RUNNING, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return ask(request, question, form)
    if form.is_valid():
        number = form.cleaned_data["max_running"]
        set_cap(user_id=person_id, actor=request.user, max_running=number)
        what = "the server's default holds" if number is None else f"at most {number} at once"
        messages.success(request, f"Trials of {name}: {what}.")
        return redirect("workers")
    return ask(request, question, form, status=400)
