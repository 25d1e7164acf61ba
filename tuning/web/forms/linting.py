"""The lint beside the rows of a search space, and the click that takes a fix over: the same with and without script."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from tuning.findings import Finding
from tuning.selectors.lint import space_findings
from tuning.web.forms.editing import entries_of
from tuning.web.forms.rows import entry_words
from tuning.web.forms.space import initial_row, parents_first

ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Advice:
    """A finding at its row: what it says (empty where an error says it already), and what its button would type."""

    rule: str
    severity: str
    message: str
    button: str
    fields: dict[str, str]


# what a study's trials say of a parameter, and the entry that they say it of
Known = Mapping[str, tuple[dict[str, Any], list[Finding]]]


def lint_rows(rows: Any, known: Known | None = None, **plan: Any) -> list[Finding]:
    """Put each finding to its row, as `form.advice`; those about the whole space are returned.

    known: findings that rest on trials; they stand beside a row while it is as the trials found it.
    """
    read = _read(rows)
    findings = _findings(read, known or {}, plan)
    for name, (form, entry) in read.items():
        own = [finding for finding in findings if finding.parameter == name]
        form.advice = [_advice(form, entry, finding) for finding in sorted(own, key=_weight)]
        form.advice = [advice for advice in form.advice if advice.message or advice.button]
    return sorted((finding for finding in findings if finding.parameter is None), key=_weight)


def apply_fix(data: QueryDict, rows: Any, known: Known | None = None, **plan: Any) -> bool:
    """Type into `data` what the fix that it asks for ("form-3:LOG-LR") changes; False where nothing is to be fixed."""
    prefix, _, rule = data.get("fix", "").partition(":")
    rows.is_valid()
    read = _read(rows)
    for finding in _findings(read, known or {}, plan):
        if finding.parameter in read and finding.rule == rule and finding.fix is not None:
            form, entry = read[finding.parameter]
            if form.prefix == prefix:
                data.update({f"{prefix}-{field}": text for field, text in _typed(finding, entry).items()})
                return True
    return False


def _weight(finding: Finding) -> int:
    return ORDER[finding.severity]


def _read(rows: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    """By name, each row that can be read and its entry; of two with one name the first."""
    read: dict[str, tuple[Any, dict[str, Any]]] = {}
    for form, name, entry in entries_of(rows):
        if name:
            read.setdefault(name, (form, entry))
    return read


def _findings(read: dict[str, tuple[Any, dict[str, Any]]], known: Known, plan: dict[str, Any]) -> list[Finding]:
    """What is known and what the lint says, without what the form shows as an error of the row in any case."""
    if not read:
        return []
    document = parents_first({name: entry for name, (_, entry) in read.items()})
    told = [finding for name, (entry, own) in known.items() if document.get(name) == entry for finding in own]
    rules = {("UNREADABLE", name) for name in (None, *document)} | {(one.rule, one.parameter) for one in told}
    return told + [one for one in space_findings(document, **plan) if (one.rule, one.parameter) not in rules]


def _typed(finding: Finding, entry: dict[str, Any]) -> dict[str, str]:
    """The row's fields that the fix changes, as text; what a person wrote into the others stays as it is."""
    before, after = initial_row("", entry), initial_row("", dict(finding.fix or {}))
    return {field: text for field, text in after.items() if text != before[field]}


def _advice(form: Any, entry: dict[str, Any], finding: Finding) -> Advice:
    sentence = finding.message.rstrip(".") + "."
    said = any(sentence in errors for errors in form.errors.values()) if form.is_bound else False
    button = f"Make it {entry_words(dict(finding.fix))}" if finding.fix is not None else ""
    fields = _typed(finding, entry) if finding.fix is not None else {}
    return Advice(finding.rule, finding.severity, "" if said else sentence, button, fields)
