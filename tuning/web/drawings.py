"""The small drawing beside each parameter of a space."""

from typing import Any

from tuning.charts import distribution_svg
from tuning.services.errors import Invalid
from tuning.services.spaces import parse_space
from tuning.web.forms.rows import written_choices, written_condition, written_number, written_value


def drawing_of(name: str, entry: dict[str, Any]) -> str:
    """The distribution of one entry as inline SVG; empty while the entry is not valid by itself."""
    alone = {key: value for key, value in entry.items() if key != "when"}
    try:
        parameter = parse_space({name: alone}).parameters[0]
    except Invalid:
        return ""
    return distribution_svg(
        parameter, log=bool(entry.get("log")) or (entry.get("prior") or {}).get("name") == "log_normal"
    )


def space_table(document: dict[str, Any]) -> list[dict[str, str]]:
    """A row per parameter: name, kind, range in words, condition in words, drawing."""
    return [
        {
            "name": name,
            "kind": entry["type"],
            "range": _range(entry),
            "condition": written_condition(entry.get("when")),
            "drawing": drawing_of(name, entry),
        }
        for name, entry in document.items()
    ]


def _range(entry: dict[str, Any]) -> str:
    if entry["type"] == "categorical":
        return written_choices(entry["choices"])
    if entry["type"] == "constant":
        return written_value(entry["value"])
    words = f"{written_number(entry.get('low')) or '−∞'} to {written_number(entry.get('high')) or '∞'}"
    if entry.get("step") is not None:
        words += f", step {written_number(entry['step'])}"
    prior = entry.get("prior")
    if prior and prior["name"] != "uniform":
        numbers = ", ".join(f"{key} {written_number(value)}" for key, value in prior.items() if key != "name")
        words += f", {prior['name'].replace('_', ' ')} ({numbers})"
    return words + (", log" if entry.get("log") else "")
