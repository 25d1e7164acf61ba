"""Verdicts in one sentence each, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping

WORDS = {
    "train_rises": "The training loss ends at {train:.4g}, and it has risen since {unit} {epoch}: training itself goes "
    "the wrong way.",
    "spikes": "The training loss jumps to more than twice its usual value again and again, first at {unit} {epoch}.",
    "underfit": "The training loss is still {train:.4g}{of_base}, and validation stands close by at {validation:.4g}: "
    "the model has not learnt what there is to learn.",
    "overfit_turning": "Validation was best at {unit} {epoch} ({lowest_validation:.4g}) and has risen by "
    "{risen:.0f} % since, to {validation:.4g}, while the training loss went down to {train:.4g}.",
    "overfit": "The training loss is {train:.4g}, validation {validation:.4g}: a gap of {percent:.0f} %, though "
    "validation has not turned.",
    "noise": "From one {unit} to the next the validation loss jumps by {jitter:.3g}, too much beside what was learnt: "
    "no difference can be told.",
    "plateau": "Since about {unit} {epoch} the validation loss has hardly moved; it ends at {validation:.4g}.",
    "negative_gap": "Validation ({validation:.4g}) is better than training ({train:.4g}) by more than chance explains.",
    "healthy": "Training ends at {train:.4g}, validation at {validation:.4g}; nothing stands out.",
}

UNKNOWN_BASE = "Whether that is much cannot be told: no preflight has measured what knowing nothing costs."
FEW_EXAMPLES = 30  # of validation: one of them more or less is more than 3 points of accuracy


def sentence(rule: str, epoch: int | None, evidence: Mapping[str, float], unit: str = "epoch") -> str:
    """What a rule has seen; `unit` is what the curves count."""
    if rule == "diverged":
        return _diverged(f"In {unit} {epoch}", evidence)
    if rule == "noise" and evidence.get("n_validation", FEW_EXAMPLES) < FEW_EXAMPLES:
        return f"Validation has {evidence['n_validation']:.0f} examples: too few to tell one training from another."
    base = evidence.get("base")
    of_base = f" of the {base:.4g} that knowing nothing costs" if base else ""
    risen = 100 * (evidence["validation"] / evidence["lowest_validation"] - 1)
    percent = 100 * evidence["relative_gap"]
    said = WORDS[rule].format(epoch=epoch, unit=unit, of_base=of_base, percent=percent, risen=risen, **evidence)
    return said if base or rule not in ("healthy", "plateau") else f"{said} {UNKNOWN_BASE}"


def _diverged(when: str, evidence: Mapping[str, float]) -> str:
    if "epochs" in evidence:
        return f"{when} the training loss was more than ten times as high as at the start."
    if "last_train" in evidence:
        before = f"the training loss before was {evidence['last_train']:.4g}"
        return f"{when} the loss was no number any more; {before}."
    return f"{when} the loss was no number any more."
