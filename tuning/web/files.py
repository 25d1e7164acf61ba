"""A study's settings from a file in YAML or JSON: the names of the REST interface, typed into the form."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import yaml

from tuning.engine import registry
from tuning.services.errors import Invalid
from tuning.services.spaces import parse_space
from tuning.web.errors import SignedInRequest
from tuning.web.forms.limits import limits_for_form
from tuning.web.forms.space import initial_rows
from tuning.web.forms.study import SHARED

MOST_BYTES = 200_000
NOT_FIELDS = {
    "space",
    "warm_start",
    "sampler_options",
    "scheduler_options",
    "constraints",
    *SHARED,
}  # which the form spreads out


def text_of(request: SignedInRequest) -> str:
    """The file's text, or what was pasted. Raises Invalid for a file that is too large or no text."""
    sent = request.FILES.get("file")
    if sent is None:
        return request.POST.get("text", "")
    if (sent.size or 0) > MOST_BYTES:
        raise Invalid({"file": [f"The file has {sent.size:,} bytes; a study's settings have at most {MOST_BYTES:,}."]})
    try:
        return str(sent.read().decode())
    except UnicodeDecodeError as error:
        raise Invalid({"file": [f"The file is not text in UTF-8: {error.reason} at byte {error.start}."]}) from error


def read_settings(text: str) -> dict[str, Any]:
    """The settings by name. Raises Invalid with the place of what cannot be read."""
    if not text.strip():
        raise Invalid({"file": ["Choose a file, or paste its text."]})
    try:
        found = _json(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        words = getattr(error, "problem", None) or "it cannot be read"
        raise Invalid({"file": [f"This is neither YAML nor JSON{where}: {words}."]}) from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise Invalid({"file": ["A study's settings are pairs of a name and a value, such as workload: digits_mlp."]})
    return found


def _json(text: str) -> Any:
    """JSON; else YAML's braces. JSON comes first since YAML takes its 1e-05 for text."""
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)


def rows_of(space: Any) -> list[dict[str, str]]:
    """The rows of the space. Raises Invalid where it is not one."""
    parse_space(space)
    return initial_rows(space)


def form_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the form's fields name them: options of a method by its name, limits on the model by theirs."""
    fields = {name: value for name, value in settings.items() if name not in NOT_FIELDS and value is not None}
    scheduler = str(settings.get("scheduler") or "none")
    for kind, method in (("sampler", str(settings.get("sampler") or "auto")), ("scheduler", scheduler)):
        options = settings.get(f"{kind}_options") or {}
        if not isinstance(options, dict):
            raise Invalid({f"{kind}_options": [f"{kind}_options: pairs of an option and its value, not {options!r}."]})
        fields |= {f"{method}-{name}": value for name, value in options.items()}
    fields |= {f"{scheduler}-{name}": settings[name] for name in SHARED if name in settings}
    limits = settings.get("constraints") or {}
    if not isinstance(limits, dict):
        raise Invalid({"constraints": [f"constraints: pairs of a limit and its value, not {limits!r}."]})
    return fields | limits_for_form(limits)


def warm_start_of(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The earlier studies that it learns from, as the REST interface names them. Raises Invalid."""
    entries = settings.get("warm_start") or []
    sound = isinstance(entries, list) and all(
        isinstance(one, dict) and isinstance(one.get("study"), int) and isinstance(one.get("assumed", {}), dict)
        for one in entries
    )
    if not sound:
        raise Invalid({"warm_start": ["Write a list such as [{study: 3, assumed: {dropout: 0.1}}]."]})
    return list(entries)


def unknown_fields(settings: Mapping[str, Any], form: Any) -> None:
    """Raise Invalid for names that the form has no field for, and for methods that there are not."""
    known = {*form.fields, *NOT_FIELDS, "workload"}
    unknown = sorted(set(settings) - known)
    if unknown:
        names = sorted(name for name in known if "-" not in name and not name.startswith("limit_"))
        meant = dict.fromkeys(name for one in unknown for name in get_close_matches(one, names, 1))
        guess = f" Did you mean {', '.join(meant)}?" if meant else ""
        raise Invalid({"file": [f"There is no setting {', '.join(unknown)}.{guess} There are {', '.join(names)}."]})
    for kind, there in (("sampler", registry.samplers()), ("scheduler", registry.schedulers())):
        chosen = settings.get(kind)
        if chosen is not None and chosen not in there:
            raise Invalid({kind: [f"There is no {kind} {chosen!r}; there are {', '.join(there)}."]})
