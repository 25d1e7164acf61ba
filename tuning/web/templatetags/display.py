"""How values look on a page: 4 significant digits, units beside numbers, words for states.

A template builtin (hpweb/settings.py): every template has these without a load tag.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from tuning.selectors.job_kinds import kind_title
from tuning.selectors.requirements import size_words
from tuning.web.forms.rows import entry_words

register = template.Library()

NONE = "–"


def _exponent(text: str) -> str:
    mantissa, mark, power = text.partition("e")
    return f"{mantissa}e{int(power)}" if mark else text


@register.filter
def number(value: Any) -> str:
    """4 significant digits, trailing zeros kept so that a column lines up; whole numbers whole; – for none."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if value == 0 or 1e-4 <= size < 1e5:
        digits = 3 - (math.floor(math.log10(size)) if value else 0)
        return f"{value:.{min(max(digits, 0), 7)}f}"
    return _exponent(f"{value:.3e}")


@register.filter
def param(value: Any) -> str:
    """A hyperparameter's value: as short as 4 significant digits allow; text as it is; other values as JSON."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return number(value)
        size = abs(value)
        text = f"{value:.3e}" if value and (size < 1e-3 or size >= 1e5) else f"{value:.4g}"
        mantissa, mark, power = text.partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(power)}" if mark else mantissa
    if isinstance(value, str):
        return value
    return json.dumps(value)


@register.filter
def params(values: Mapping[str, Any]) -> str:
    """A configuration in a line: lr 0.01, optimizer adamw."""
    return ", ".join(f"{name} {param(value)}" for name, value in values.items())


@register.filter
def exact(value: Any) -> str:
    """All digits, for a title attribute."""
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


@register.filter
def duration(seconds: Any) -> str:
    """Seconds in the one or two units a person would use: 0.03 s, 41 s, 6 min, 2 h 10 min, 3 d 4 h; – for none."""
    if seconds is None:
        return NONE
    seconds = float(seconds)
    if 0 < seconds < 0.095:
        return f"{max(seconds, 0.01):.2f} s"
    if seconds < 0.95:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < 89.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(round(minutes / 60), 24)
    return f"{days} d {rest} h" if rest else f"{days} d"


@register.filter
def memory(size: int | None) -> str:
    """Bytes of memory in the units in which workloads require it: 8.59 GB."""
    return NONE if size is None else size_words(size)


@register.filter
def took(thing: Any) -> str:
    """How long something with .started and .completed (or .ended, .finished) ran, or has run so far."""
    if thing.started is None:
        return NONE
    end = next(
        (getattr(thing, name) for name in ("completed", "ended", "finished") if getattr(thing, name, None)),
        None,
    )
    return duration(((end or timezone.now()) - thing.started).total_seconds())


@register.filter
def does(job: Any) -> str:
    """What a job of its kind does; which workload it is about is not everybody's to know."""
    return kind_title(job.kind)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, with the exact time in the title; – for never."""
    if moment is None:
        return NONE
    seconds = (timezone.now() - moment).total_seconds()
    words = "just now" if seconds < 10 else f"{duration(seconds)} ago"
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M:%S %Z}", words
    )


@register.simple_tag
def pill(kind: str, words: str = "") -> SafeString:
    """A state as a pill: its colour by `kind`, and always a word."""
    return format_html('<span class="pill pill--{}">{}</span>', kind.lower(), words or kind.lower())


@register.filter
def paragraphs(text: str) -> SafeString:
    """A docstring as paragraphs: single line breaks are where the source wrapped, words in backticks are code."""
    parts = [part.split() for part in re.split(r"\n\s*\n", text) if part.strip()]
    html = [re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(" ".join(words))) for words in parts]
    return mark_safe("".join(f"<p>{part}</p>" for part in html))  # noqa: S308 - escaped above


@register.filter
def headline(message: str) -> str:
    """The first sentence of a finding's message, without its full stop."""
    return message.partition(". ")[0].rstrip(".")


@register.filter
def after_headline(message: str) -> str:
    """What follows the first sentence."""
    return message.partition(". ")[2]


SEVERITY_WORDS = {"error": "Likely a mistake:", "warning": "Look again:", "info": "Hint:"}


@register.filter
def severity_words(severity: str) -> str:
    """How heavy a finding weighs, in the words that stand before it."""
    return SEVERITY_WORDS[severity]


@register.filter
def entry_text(entry: Any) -> str:
    """A parameter's entry of a search space in a few words."""
    return entry_words(entry)


@register.filter
def json_text(value: Any) -> str:
    """`value` as JSON, for attributes that htmx reads; escaped like any other text."""
    return json.dumps(value)


@register.filter
def entry(mapping: Any, key: Any) -> Any:
    """`mapping[key]`, None where there is none: for columns that not every row has, and rows that have no mapping."""
    return mapping.get(key) if mapping else None


@register.filter
def before_colon(message: str) -> str:
    """What a message says before its list."""
    return message.partition(":")[0]


@register.filter
def whole(value: float | None) -> str:
    """Rounded to a whole number, with separators."""
    return NONE if value is None else f"{value:,.0f}"


@register.filter
def percent(share: float | None) -> str:
    """A share as a percentage: 0.2 is 20 %."""
    return NONE if share is None else f"{100 * share:.0f} %"


@register.filter
def evidence(value: Any) -> str:
    """A number of a check's evidence; of a list its first entries, of a mapping its pairs."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {evidence(item)}" for name, item in list(value.items())[:6])
    if isinstance(value, list):
        return ", ".join(evidence(item) for item in value[:6]) + (", …" if len(value) > 6 else "")
    if value is None:
        return "not finite"  # JSON has no other word for it
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
