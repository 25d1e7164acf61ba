"""What the form of a new study begins with: of a workload, of a study that it clones, of a file's settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from tuning.engine import registry
from tuning.selectors.clones import clone_name
from tuning.selectors.hosts import hosts_overview
from tuning.selectors.studies import study_for
from tuning.selectors.workloads import workload_named
from tuning.services.errors import Conflict, NotFound
from tuning.web.drafts import LEFT_OUT, written
from tuning.web.errors import SignedInRequest
from tuning.web.files import form_settings
from tuning.web.forms.editing import whole_number
from tuning.web.forms.rows import written_value
from tuning.web.forms.sources import FIELD, PREFIX
from tuning.web.forms.space import SpaceRows, initial_rows
from tuning.web.forms.study import StudyForm

SCRIPT = "script"  # in the address: trials that scripts run over REST
OF_THE_WORKLOAD = {"metric", "direction", "max_resource"}  # besides the rows


def source_of(request: SignedInRequest) -> Any | None:
    """The study that the new one is to be like, by ?from=. Raises NotFound."""
    if "from" not in request.GET:
        return None
    number = whole_number(request.GET["from"])
    if number is None:
        raise NotFound(f"There is no study {request.GET['from']!r} to clone.")
    return study_for(request.user, number)


def usable(chosen: str) -> dict[str, Any] | None:
    """What a worker found out about the chosen workload, None for scripts. Raises NotFound, Conflict."""
    if chosen == SCRIPT:
        return None
    row = workload_named(chosen)
    if row.error:
        raise Conflict(
            f"The workload {chosen} cannot be loaded; the workloads page shows why. Correct it and press Refresh there."
        )
    document: dict[str, Any] = row.document
    return document


def ticked(warm_start: Sequence[Mapping[str, Any]]) -> QueryDict:
    """What the form would send of the earlier studies that a study learns from."""
    data = QueryDict(mutable=True)
    for entry in warm_start:
        data.appendlist(FIELD, str(entry["study"]))
        data.update({f"{PREFIX}{name}": written_value(value) for name, value in entry.get("assumed", {}).items()})
    return data


def initial(workload: dict[str, Any] | None) -> dict[str, Any]:
    """The fields of a study that nobody has typed anything about."""
    now = timezone.localtime()
    today = f"{now.day} {now:%b, %H:%M}"
    found = {"name": f"{name_of(workload)}, {today}", "n_trials": 30, "parallel": max(1, live_slots())}
    if workload:
        found |= {"metric": workload["metric"], "max_resource": workload.get("max_resource")}
    return found


def initial_clone(source: Any, settings: dict[str, Any], query: QueryDict) -> dict[str, Any]:
    """Everything of the source, as the form's fields; a scheduler that the address names comes with its settings."""
    fields = form_settings(settings)
    chosen = query.get("scheduler", "")
    if chosen in registry.schedulers():
        names = ("scheduler", "max_resource", *(name for name in query if name.startswith(f"{chosen}-")))
        fields |= {name: query[name] for name in names if name in query}
    return {**fields, "name": clone_name(source)}


def live_slots() -> int:
    """How many trials could run at once now."""
    return sum(len(device.slots) for host in hosts_overview() if host.alive for device in host.devices)


def first_rows(workload: dict[str, Any] | None) -> Any:
    """The rows of its default space."""
    return SpaceRows(initial=initial_rows((workload or {}).get("space") or {}))


def switched(old: dict[str, Any] | None, new: dict[str, Any] | None, data: QueryDict) -> dict[str, list[str]]:
    """What the form holds once another workload is chosen: its own metric, steps and rows, all else as it was typed."""
    own = written(StudyForm(new, initial=initial(new)), first_rows(new))
    gone = LEFT_OUT | OF_THE_WORKLOAD
    if data.get("name", "").startswith(f"{name_of(old)}, "):  # the name that the form had begun with
        gone |= {"name"}
    kept = {name: values for name, values in data.lists() if name not in gone and not name.startswith("form-")}
    return own | kept


def name_of(workload: dict[str, Any] | None) -> str:
    """As the address has it."""
    return str(workload["name"]) if workload else SCRIPT
