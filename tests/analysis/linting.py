"""Spaces for the tests of the lint: with the names that it knows, and ranges right and wrong."""

from hypothesis import strategies as st

from tests.engine.spaces import categoricals, conditions, floats, ints, without_issues

NAMES = (
    "lr", "optimizer.lr", "learning_rate", "weight_decay", "l2", "adam_eps", "dropout", "momentum", "beta2",
    "batch_size", "epochs", "seed", "units", "temperature",
)  # fmt: skip
BOUNDS = [-1.0, 0.0, 1e-9, 1e-6, 1e-4, 0.01, 0.05, 0.3, 0.7, 0.9, 0.98, 1.0, 3.0, 100.0]


@st.composite
def likely_floats(draw):
    low, high = sorted(draw(st.lists(st.sampled_from(BOUNDS), min_size=2, max_size=2, unique=True)))
    entry = {"type": "float", "low": low, "high": high}
    if low > 0 and draw(st.booleans()):
        entry["log"] = True
    elif draw(st.booleans()):
        step = draw(st.sampled_from([0.1, 0.25, 0.3, 2.0]))
        if low + step <= high:
            entry["step"] = step
    return entry


@st.composite
def likely_ints(draw):
    low = draw(st.sampled_from([0, 1, 2, 8, 10, 16, 33]))
    entry = {"type": "int", "low": low, "high": low + draw(st.sampled_from([1, 3, 7, 16, 100, 1000, 2_000_000]))}
    if low > 0 and draw(st.booleans()):
        entry["log"] = True
    elif draw(st.booleans()):
        step = draw(st.sampled_from([2, 3, 8]))
        if low + step <= entry["high"]:
            entry["step"] = step
    return entry


def likely_lists():
    numbers = st.sampled_from([0, 1, 3, 8, 10, 16, 32, 50, 64, 128, 0.0, 0.1, 0.5, 0.8, 0.95, 1e-4, 1e-3])
    lists = st.lists(numbers, min_size=1, max_size=5, unique_by=lambda value: (type(value), value))
    return st.builds(lambda choices: {"type": "categorical", "choices": choices}, lists)


@st.composite
def known_spaces(draw):
    """The JSON form of a valid space whose parameters have names that the lint knows."""
    kinds = st.one_of(likely_floats(), likely_ints(), likely_lists(), floats(), ints(), categoricals())
    document = {}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)):
        entry = without_issues({name: draw(kinds)})[name]
        if document and draw(st.booleans()):
            entry["when"] = draw(conditions(document))
        document[name] = entry
    return without_issues(document)


@st.composite
def refused_spaces(draw):
    """The same with what the reader refuses: a log scale from 0 on or with a step, a choice that stands twice."""
    document = draw(known_spaces())
    name = draw(st.sampled_from(sorted(document)))
    document = {other: {k: v for k, v in entry.items() if k != "when"} for other, entry in document.items()}
    document[name] = draw(
        st.sampled_from(
            [
                {"type": "float", "low": 0.0, "high": 0.1, "log": True},
                {"type": "float", "low": -1.0, "high": 0.0, "log": True},
                {"type": "int", "low": 0, "high": 64, "log": True},
                {"type": "int", "low": 0, "high": 1, "log": True},
                {"type": "float", "low": 1e-4, "high": 0.1, "log": True, "step": 0.01},
                {"type": "int", "low": 0, "high": 64, "log": True, "step": 8},
                {"type": "categorical", "choices": ["sgd", "adam", "sgd"], "weights": [1, 2, 3]},
                {"type": "categorical", "choices": [[1], 2, [1], 2]},
            ]
        )
    )
    return document
