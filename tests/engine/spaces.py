"""Random search spaces in their JSON form, for hypothesis."""

import json
import math

from hypothesis import strategies as st

from tuning.engine import SearchSpace, SpaceError

JSON_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1e300]),
    st.text(max_size=3),
)
JSON_VALUES = st.recursive(
    JSON_SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def numbers(low=-1e6, high=1e6):
    return st.floats(low, high, allow_subnormal=False).map(lambda x: x + 0.0)


FLOAT_KINDS = ["linear", "log", "step", "normal", "log_normal", "beta"]
EXTREME_KINDS = ["tiny", "huge", "fine"]  # a few doubles wide, as wide as doubles go, in very many steps


@st.composite
def floats(draw, finite=False, extreme=False):
    kind = draw(st.sampled_from(["step"] if finite else FLOAT_KINDS + extreme * EXTREME_KINDS))
    if kind == "log":
        low = draw(numbers(1e-9, 1e3))
        return {"type": "float", "low": low, "high": low * draw(numbers(1.001, 1e6)), "log": True}
    if kind == "tiny":
        low = draw(st.sampled_from([0.0, 1.0, -5.0, 1e6]))
        high = max(low + draw(st.sampled_from([0.0, 1e-12])), math.nextafter(low, math.inf))
        return {"type": "float", "low": low, "high": high, "log": low > 0 and draw(st.booleans())}
    if kind == "huge":
        low, high = draw(st.sampled_from([(-1.7e308, 1.7e308), (-1e300, 1.0), (1e-300, 1e300), (1.0, 1.7e308)]))
        return {"type": "float", "low": low, "high": high, "log": low > 0 and draw(st.booleans())}
    if kind == "fine":
        return {"type": "float", "low": -0.5, "high": 0.5, "step": draw(st.sampled_from([1e-12, 1e-5]))}
    if kind == "beta":
        prior = {"name": "beta", "a": draw(numbers(0.2, 9)), "b": draw(numbers(0.2, 9))}
        return {"type": "float", "prior": prior}
    if kind in ("normal", "log_normal"):
        prior = {"name": kind, "mu": draw(numbers(-3, 3)), "sigma": draw(numbers(0.1, 3))}
        centre = math.exp(prior["mu"]) if kind == "log_normal" else prior["mu"]
        document = {"type": "float", "prior": prior}
        if draw(st.booleans()):
            document["low"] = centre / 2 if kind == "log_normal" else centre - draw(numbers(0.1, 2))
        if draw(st.booleans()):
            document["high"] = centre * 2 if kind == "log_normal" else centre + draw(numbers(0.1, 2))
        return document
    low = draw(numbers())
    document = {"type": "float", "low": low, "high": low + draw(numbers(0.001, 1e6))}
    if document["high"] <= low:
        document["high"] = low + 1.0
    if kind == "step":
        document["step"] = draw(st.sampled_from([0.1, 0.25, 1 / 3, 2.0]))
        document["low"] = low = draw(st.sampled_from([-1.0, 0.0, 0.1, 5.0]))
        document["high"] = low + draw(numbers(2.0, 6.0))
    return document


@st.composite
def ints(draw, finite=False, extreme=False):
    kind = draw(st.sampled_from(["linear", "log", "step", "normal"] + (extreme and not finite) * ["huge"]))
    if kind == "huge":
        return draw(
            st.sampled_from(
                [
                    {"type": "int", "low": 1, "high": 2**40, "log": True},
                    {"type": "int", "low": -(2**39), "high": 2**39 - 1},
                    {"type": "int", "low": -(2**53), "high": 2**53, "step": 2**14 + 1},
                ]
            )
        )
    low = draw(st.integers(1, 1000) if kind == "log" else st.integers(-1000, 1000))
    document = {"type": "int", "low": low, "high": low + draw(st.integers(2, 60))}
    if kind == "log":
        document["log"] = True
    elif kind == "step":
        document["step"] = draw(st.integers(2, 5))
        document["high"] += document["step"]
    elif kind == "normal":
        document["prior"] = {
            "name": "normal",
            "mu": low + draw(numbers(-3, 30)),
            "sigma": draw(numbers(0.5, 9)),
        }
    if finite:
        document["high"] = min(document["high"], low + 3 * document.get("step", 1))
    return document


@st.composite
def categoricals(draw):
    choices = draw(st.lists(JSON_VALUES, min_size=1, max_size=4, unique_by=repr_of))
    document = {"type": "categorical", "choices": choices}
    if draw(st.booleans()):
        document["weights"] = draw(st.lists(numbers(0.01, 9), min_size=len(choices), max_size=len(choices)))
    return document


def repr_of(value):
    return json.dumps(value, sort_keys=True)


@st.composite
def conditions(draw, parents):
    """A condition on one or two of the parents (documents by name)."""
    when = {}
    for name in draw(st.lists(st.sampled_from(sorted(parents)), min_size=1, max_size=2, unique=True)):
        parent = SearchSpace.from_json({name: {k: v for k, v in parents[name].items() if k != "when"}})[name]
        if parent.size is not None and draw(st.booleans()):
            indices = draw(st.lists(st.integers(0, parent.size - 1), min_size=1, max_size=3, unique=True))
            when[name] = [parent.value_at(index) for index in indices]
        elif parent.kind in ("float", "int"):
            when[name] = {draw(st.sampled_from(["low", "high"])): parent.from_unit(draw(numbers(0.0, 1.0)))}
        else:
            when[name] = [parent.value_at(0)]
    return when


@st.composite
def space_documents(draw, finite=False, max_size=6, extreme=False):
    """The JSON form of a valid space; `finite`: without continuous parameters, and with few values each;
    `extreme`: with ranges at the limits of doubles, too."""
    kinds = [
        floats(finite, extreme),
        categoricals(),
        ints(finite, extreme),
        st.builds(lambda v: {"type": "constant", "value": v}, JSON_VALUES),
    ]
    document = {}
    for position in range(draw(st.integers(1, max_size))):
        entry = draw(st.one_of(kinds))
        if finite and entry["type"] == "float":
            entry["high"] = entry["low"] + 2.5 * entry["step"]
        entry = without_issues({"x": entry})["x"]
        if document and draw(st.booleans()):
            entry["when"] = draw(conditions(document))
        document[draw(st.sampled_from("abc")) + f"_{position}"] = entry
    return without_issues(document)


def without_issues(document):
    """The document without conditions that contradict each other and priors that miss their range."""
    while True:
        try:
            SearchSpace.from_json(document)
        except SpaceError as error:
            for issue in error.errors:
                if issue.field not in ("when", "prior"):
                    raise
                document[issue.parameter].pop(issue.field, None)
        else:
            return document


def spaces(finite=False, max_size=6, extreme=False):
    return space_documents(finite, max_size, extreme).map(SearchSpace.from_json)
