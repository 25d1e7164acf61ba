"""What a parameter is, read from its name: `optimizer.lr` and `head_lr` are learning rates, `lr_decay` is none.

A name is cut into words at dots, dashes, underscores and capitals. It has a role where the words of one of the role's
names stand in it side by side, and none of the words that make something else of them. An annotation is read in the
same way instead of the name, so that one without a role ("none") silences the name.
"""

from __future__ import annotations

import re

# role -> its names, as words
NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "learning_rate": (("lr",), ("learning", "rate"), ("learn", "rate"), ("learningrate",), ("eta",)),
    "penalty": (
        ("weight", "decay"), ("weightdecay",), ("wd",), ("l1",), ("l2",), ("reg", "alpha"), ("alpha", "reg"),
        ("reg", "lambda"), ("lambda", "reg"),
    ),
    "epsilon": (("eps",), ("epsilon",)),
    "dropout": (("dropout",), ("drop", "rate"), ("drop", "prob"), ("p", "drop")),
    "near_one": (
        ("momentum",), ("beta",), ("beta1",), ("beta2",), ("ema",), ("polyak",), ("discount",), ("gamma",),
    ),
    "batch_size": (("batch", "size"), ("batchsize",), ("bs",), ("batch",)),
    "epochs": (
        ("epoch",), ("epochs",), ("iterations",), ("max", "iter"), ("max", "iters"), ("max", "steps"), ("num", "steps"),
        ("total", "steps"), ("train", "steps"), ("training", "steps"),
    ),
    "train_fraction": (
        ("train", "fraction"), ("training", "fraction"), ("data", "fraction"), ("subset", "fraction"),
        ("train", "share"),
    ),
    "train_size": (
        ("train", "size"), ("training", "size"), ("n", "train"), ("train", "examples"), ("training", "examples"),
    ),
    "seed": (("seed",), ("random", "state"), ("randomstate",)),
}  # fmt: skip
# role -> words beside a name of it that make something else of it
OTHERWISE: dict[str, str] = {
    "learning_rate": (
        "decay schedule scheduler gamma step steps ratio factor mult multiplier scale power patience policy type name "
        "epoch epochs cycle cycles div gain weight min"
    ),
    "penalty": (
        "ratio norm n num units unit hidden size dim neurons nodes width filters channels kernel layer layers act "
        "activation dropout distance schedule type mode name lr"
    ),
    "epsilon": "clip greedy exploration explore smoothing start end final decay min steps",
    "dropout": "n num layer layers type mode",
    "near_one": "n num lr learning start end schedule type mode warmup",
    "batch_size": "norm normalization bn momentum n num count",
    "epochs": "warmup per every patience decay accumulation accumulate rollout save log eval lr",
    "train_fraction": "validation test",
    "train_size": "validation test image crop batch steps epochs resolution",
    "seed": "n num",
}
WORDS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


def role_of(name: str, annotation: str | None = None) -> str | None:
    """The role that a name, or the annotation in its place, tells; None where it tells none."""
    words = [word.lower() for word in WORDS.findall(name if annotation is None else annotation)]
    for role, names in NAMES.items():
        for wanted in names:
            rest = _without(words, wanted)
            if rest is not None and set(OTHERWISE[role].split()).isdisjoint(rest):
                return role
    return None


def _without(words: list[str], wanted: tuple[str, ...]) -> list[str] | None:
    """The words that stand beside the wanted ones; None where those do not stand side by side."""
    n = len(wanted)
    for start in range(len(words) - n + 1):
        if all(map(_is, words[start : start + n], wanted)):
            return words[:start] + words[start + n :]
    return None


def _is(word: str, wanted: str) -> bool:
    """Whether a word is the wanted one, or one of several that are numbered: `dropout2`, but not `l12` for `l1`."""
    return word == wanted or (not wanted[-1].isdigit() and word.rstrip("0123456789") == wanted)
