"""The kind "objective": a user's plain function of a trial, in Optuna's manner.

`Trial` has the methods of the client's trial, so that one function runs under a worker and in the user's own
script. A value that came with the start (predicted from the search space, or enqueued) is used without
asking; anything else is asked for over the channel, one round trip a name.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuning.runner.failures import NotFiniteObjective
from tuning.runner.inbox import Inbox
from tuning.runner.protocol import encode
from tuning.runner.spec import read
from tuning.sealed import is_sealed, without_sealed
from tuning.training.catalogue import Catalogue, UnknownWorkload
from tuning.training.determinism import prepare_device, seed_everything

Scalar = None | bool | int | float | str


class TrialPruned(Exception):
    """Raised by an objective function that gives its trial up; its last report is its value."""


class SuggestionError(ValueError):
    """A suggestion that contradicts an earlier one, or that the worker refused."""


class Trial:
    """What an objective function gets: suggestions, reports, and whether to go on.

    Attributes:
        number: the trial's number in its study.
        params: the values suggested so far, by name.
        resource: the step to reach, in the workload's unit; None: as far as the function goes.
        resume_step: an earlier attempt has done the steps up to here; go on from the function's own file.
        seed: the trial's; python, numpy and torch are seeded with it before the function is called.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        number: int,
        metric: str = "value",
        known: Mapping[str, Any] | None = None,
        resource: int | None = None,
        resume_step: int = 0,
        seed: int = 0,
    ) -> None:
        self.number = number
        self.resource = resource
        self.resume_step = resume_step
        self.seed = seed
        self.params: dict[str, Any] = {}
        self.constraints: dict[str, float] = {}
        self.user_attrs: dict[str, Any] = {}
        self.last_report: float | None = None
        self._inbox = inbox
        self._metric = metric
        self._known = dict(known or {})
        self._distributions: dict[str, dict[str, Any]] = {}
        self._last_step = max(1, resume_step)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number in [low, high], on a grid of `step` from `low`, or log-uniform."""
        low, high = float(low), float(high)
        step = None if step is None else float(step)
        value = self._suggest(name, _numeric("float", name, low, high, step, log))
        return float(value)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number in [low, high], on a grid of `step` from `low`, or log-uniform."""
        for bound in (low, high, step):
            if not isinstance(bound, numbers.Integral) or isinstance(bound, bool):
                raise SuggestionError(
                    f"{name!r}: the bounds and the step of an int are whole numbers, not {bound!r}"
                )
        low, high, step = int(low), int(high), int(step)
        value = self._suggest(name, _numeric("int", name, low, high, None if step == 1 else step, log))
        return int(value)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Any:
        """Return one of `choices`, which are numbers, texts, booleans or None."""
        choices = list(choices)
        if not choices:
            raise SuggestionError(f"{name!r}: there are no choices")
        for choice in choices:
            if not (choice is None or isinstance(choice, (bool, int, float, str))):
                raise SuggestionError(
                    f"{name!r}: a choice is a number, a text, a boolean or None, not {choice!r}"
                )
        return self._suggest(name, {"type": "categorical", "choices": choices})

    def report(self, value: float | Mapping[str, float], step: int) -> str:
        """Report what `step` (1-based) measured: the study's metric, or several numbers by name.

        Returns "continue", or "stop" or "pause" once the worker has asked for it. NaN is taken.
        """
        if isinstance(step, bool) or not isinstance(step, numbers.Integral) or step < 1:
            raise ValueError(f"report: the step is a whole number of at least 1, not {step!r}")
        named = value if isinstance(value, Mapping) else {self._metric: value}
        metrics = {name: _number(number, "report") for name, number in named.items()}
        self.last_report = metrics.get(self._metric, self.last_report)
        self._last_step = int(step)
        message = {"type": "step", "step": int(step), "metrics": metrics, "wall": time.time()}
        self._inbox.channel.send(message)
        return self._inbox.request() or "continue"

    def should_prune(self) -> bool:
        """Whether the worker wants this trial to end; then raise TrialPruned."""
        return self._inbox.request() is not None

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a JSON value with the trial. A number with a name of the test set ("test/accuracy") is stored sealed,
        as if it were reported, and anything else of the test set in `value` is left out (tuning.sealed).

        Raises:
            ProtocolError: it is none.
        """
        if not isinstance(key, str):
            raise ValueError(f"set_user_attr: the key is a text, not {key!r}")
        encode({"type": "attribute", "value": value})  # refuse here, where the traceback shows the line
        if is_sealed(key) and isinstance(value, numbers.Real) and not isinstance(value, bool):
            metrics = {key: float(value)}
            message = {"type": "step", "step": self._last_step, "metrics": metrics, "wall": time.time()}
            self._inbox.channel.send(message)
        else:
            self.user_attrs |= without_sealed({key: value})

    def set_constraint(self, name: str, value: float) -> None:
        """Note a constraint; a value above 0 makes the configuration infeasible."""
        number = _number(value, "set_constraint")
        if not math.isfinite(number):
            raise ValueError(f"set_constraint: the value of {name!r} must be finite, not {number}")
        self.constraints[name] = number

    def _suggest(self, name: str, distribution: dict[str, Any]) -> Any:
        if not isinstance(name, str) or not name:
            raise SuggestionError(f"a parameter's name is a text, not {name!r}")
        if name in self.params:
            if self._distributions[name] != distribution:
                raise SuggestionError(
                    f"{name!r} was suggested from {self._distributions[name]} before and from {distribution} "
                    "now; use another name for another range"
                )
            return self.params[name]
        if name in self._known and _contains(distribution, self._known[name]):
            value = self._known[name]
        else:
            value = self._ask(name, distribution)
        self._distributions[name], self.params[name] = distribution, value
        return value

    def _ask(self, name: str, distribution: dict[str, Any]) -> Any:
        number = len(self._distributions) + 1
        self._inbox.channel.send(
            {"type": "suggest", "id": number, "name": name, "distribution": distribution}
        )
        reply = self._inbox.reply(number)
        if reply is None:
            raise TrialPruned("the worker ended the trial before it suggested a value")
        if reply.get("error") is not None:
            raise SuggestionError(f"no value for {name!r}: {reply['error']}")
        value = reply.get("value")
        if not _contains(distribution, value):
            raise SuggestionError(f"the worker suggested {value!r} for {name!r}, outside of {distribution}")
        return value


def run_objective(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Call the objective function once and return its value, its state and what it noted.

    Fields of `spec`: workload, trial; optional: seed, params (known values), metric, resource, resume_step,
    device, threads, deterministic. The value is null where the function returns None and leaves it to what it
    has reported. The state is "complete", "pruned" (the function's own decision) or "stopped" (the worker's).
    """
    name = read(spec, "workload", str)
    entry = catalogue.find(name)
    if entry.objective is None:
        raise UnknownWorkload(
            f"{name!r} is a PyTorch workload, not an objective function; start it with kind train"
        )
    trial = Trial(
        inbox,
        number=read(spec, "trial", int),
        metric=read(spec, "metric", str, None) or entry.metric or "value",
        known=read(spec, "params", dict, {}),
        resource=read(spec, "resource", int, None),
        resume_step=read(spec, "resume_step", int, 0),
        seed=read(spec, "seed", int, 0),
    )
    prepare_device(
        read(spec, "device", str, "cpu"),
        threads=read(spec, "threads", int, 1),
        deterministic=read(spec, "deterministic", bool, False),
    )
    seed_everything(trial.seed)
    started = time.perf_counter()
    value, state = _call(entry.objective, trial)
    request = inbox.request()
    if state == "pruned" and request is not None:  # the function gave up because it was asked to
        state = "stopped"
    return {
        "value": value,
        "state": state,
        "stopped": True if request == "stop" else request or False,
        "params": trial.params,
        "constraints": list(trial.constraints.values()),
        "user_attrs": trial.user_attrs,
        "seconds": time.perf_counter() - started,
    }


def _call(objective: Callable[[Trial], Any], trial: Trial) -> tuple[float | None, str]:
    try:
        value = objective(trial)
    except Exception as error:
        if not _is_pruning(error):
            raise
        return trial.last_report, "pruned"
    if value is None and trial.last_report is not None:
        return None, "complete"
    number = _number(value, "the objective function", what="return one number")
    if not math.isfinite(number):
        raise NotFiniteObjective(f"the objective function returned {number}")
    return number, "complete"


def _is_pruning(error: Exception) -> bool:
    """Whether it is our TrialPruned, or that of Optuna or the client in a function written for them."""
    return any(cls.__name__ == "TrialPruned" for cls in type(error).__mro__)


def _number(value: Any, where: str, what: str = "take one number") -> float:
    item = value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
    if isinstance(item, bool) or not isinstance(item, numbers.Real):
        raise TypeError(f"{where} must {what}, not {value!r}")
    return float(item)


def _numeric(kind: str, name: str, low: float, high: float, step: float | None, log: bool) -> dict[str, Any]:
    if not low <= high:
        raise SuggestionError(f"{name!r}: low ({low}) is above high ({high})")
    if log and low <= 0:
        raise SuggestionError(f"{name!r}: with log=True low is above 0, not {low}")
    if log and step is not None:
        raise SuggestionError(f"{name!r}: log=True and a step exclude each other")
    if step is not None and step <= 0:
        raise SuggestionError(f"{name!r}: the step is above 0, not {step}")
    distribution: dict[str, Any] = {"type": kind, "low": low, "high": high}
    if log:
        distribution["log"] = True
    if step is not None:
        distribution["step"] = step
    return distribution


def _contains(distribution: Mapping[str, Any], value: Any) -> bool:
    if distribution["type"] == "categorical":
        return any(type(value) is type(choice) and value == choice for choice in distribution["choices"])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if distribution["type"] == "int" and value != int(value):
        return False
    low, high = distribution["low"], distribution["high"]
    if not low <= value <= high:
        return False
    steps = (value - low) / distribution.get("step", 1) if "step" in distribution else 0.0
    return math.isclose(steps, round(steps), rel_tol=0.0, abs_tol=1e-6)
