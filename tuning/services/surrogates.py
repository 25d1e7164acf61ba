"""The model of a study for people: cuts through it, where the next trial goes, and how far it is to be believed.

It is the model that the Gaussian-process sampler would make for the study's next trial: same history, same options,
same random numbers. A study with another sampler has it as well, only that its sampler does not ask it. Fitted models
are kept per process by history version, so a model is fitted once for everybody who looks.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from tuning.engine import History, SearchSpace, SpaceExhausted, TrialState, registry, rng_for
from tuning.engine.advice import advise
from tuning.engine.surrogates.axes import axes_of
from tuning.engine.surrogates.slices import (
    Cut,
    Expectation,
    anchor,
    best_with,
    cut,
    effects,
    expectation,
)
from tuning.engine.surrogates.surrogate import Surrogate, surrogate_of
from tuning.engine.surrogates.validation import Validation, leave_one_out
from tuning.engine.threads import on_one_thread
from tuning.models import Study
from tuning.selectors.budget import expected_trials
from tuning.services.cuts import StudyCut, running_trials, seen_trials
from tuning.services.errors import Invalid, SamplerFailed
from tuning.services.history import study_history
from tuning.services.proposing import engine_space, propose

FEWEST = 3  # complete trials with a finite value
SMALL = 33  # values along a parameter in an overview of all
CACHED = 8

_lock = threading.Lock()
_models: "OrderedDict[tuple[int, datetime, int, str, int | None, int], StudyModel]" = OrderedDict()


@dataclass(frozen=True)
class Influence:
    """A parameter: how much the expectation moves along it, in standard deviations of all values, and its length
    scale in widths of its range (None: categorical, where it is no length)."""

    name: str
    effect: float
    length_scale: float | None


@dataclass(frozen=True)
class NextTrial:
    """What the study's sampler would suggest now; `problem` says why it suggests nothing."""

    number: int
    params: dict[str, Any]
    why: str
    problem: str
    expected: Expectation | None  # of one point; None without a model


class StudyModel:
    """The model of a study at one moment; `problem` is a sentence where there is none."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self.space: SearchSpace | None = engine_space(study)
        self.history: History | None = study_history(study, self.space) if self.space is not None else None
        self.acquisition, self.kappa, self.input_warping = _model_options(study)
        self.surrogate: Surrogate | None = None
        self.problem = self._unfit()
        if not self.problem:
            self._fit()

    def _unfit(self) -> str:
        if self.space is None or self.history is None:
            return "This study's parameters are suggested while its objective runs: there is no space to model."
        if axes_of(self.space).m == 0:
            return "Every parameter of this study has a single value: there is nothing to model."
        complete = self.history.mask(TrialState.COMPLETE)
        valued = int((complete & np.isfinite(self.history.values)).sum())
        if valued < FEWEST:
            if valued == 0 and self.n_finished >= FEWEST:
                return f"None of the {self.n_finished} finished trials has a finite value: nothing to learn from yet."
            have = {0: "none has", 1: "1 has"}.get(valued, f"{valued} have")
            return f"The model needs {FEWEST} complete trials with a value; {have} one so far."
        return ""

    def _fit(self) -> None:
        if self.space is None or self.history is None:
            raise RuntimeError("a model without a space is never fitted")
        rng = rng_for(self._study.seed, self._study.next_number)
        try:
            with on_one_thread():  # as the samplers, so that the model is the same to the last digit
                surrogate = surrogate_of(
                    self.space,
                    self.history,
                    acquisition=self.acquisition,
                    kappa=self.kappa,
                    rng=rng,
                    input_warping=self.input_warping,
                )
        except FloatingPointError as error:
            self.problem = f"The model could not be fitted: {error}"
            return
        if not surrogate.outputs.varied:
            self.problem = "All values so far are the same, so the model cannot tell configurations apart."
            return
        self.surrogate = surrogate

    @property
    def n_model(self) -> int:
        """The trials in the model."""
        return len(self.surrogate.observations.rows) if self.surrogate is not None else 0

    @property
    def n_finished(self) -> int:
        return self.history.n_finished if self.history is not None else 0

    @property
    def sampler(self) -> str:
        """The sampler that chooses the next trial: for "auto", the one that it has chosen."""
        study = self._study
        if study.sampler != "auto" or self.space is None:
            return study.sampler
        return advise(self.space, expected_trials(study), study.parallel, self.n_finished).sampler

    @property
    def sampler_title(self) -> str:
        return registry.samplers()[self.sampler].title

    @cached_property
    def influences(self) -> tuple[Influence, ...]:
        """The parameters that vary, the strongest first."""
        if self.surrogate is None:
            return ()
        axes = self.surrogate.axes
        ell = self.surrogate.length_scales
        found = [
            Influence(axis.name, float(effect), None if axis.categorical else float(length))
            for axis, effect, length in zip(axes.axes, effects(self.surrogate), ell, strict=True)
        ]
        return tuple(sorted(found, key=lambda influence: -influence.effect))

    @cached_property
    def validation(self) -> Validation | None:
        if self.surrogate is None or self.history is None:
            return None
        return leave_one_out(self.surrogate, self.history)

    @cached_property
    def next(self) -> NextTrial | None:
        """None without a space: the sampler is then asked for one parameter at a time."""
        study = self._study
        if self.space is None:
            return None
        try:
            proposal = propose(study)
        except SpaceExhausted as error:
            return NextTrial(study.next_number, {}, "", f"Nothing is left to try: {error}.", None)
        except SamplerFailed as error:
            return NextTrial(study.next_number, {}, "", error.message, None)
        expected = None
        if self.surrogate is not None:
            u = self.surrogate.axes.latent(self.space.to_unit(proposal.params)[None])
            expected = expectation(self.surrogate, self._sign, u)
        return NextTrial(proposal.number, proposal.params, proposal.why, "", expected)

    @property
    def _sign(self) -> float:
        return self.history.direction.sign if self.history is not None else 1.0

    def cut(self, x: str = "", y: str = "", at: str = "") -> StudyCut:
        """The cut along `x`, or `x` and `y`, others held at the best trial, at trial `at`, or at the "next" one.

        Without `x` along the strongest parameter that takes part there. Raises Invalid for a parameter that the space
        has not or that does not vary, and for a trial that is none; and where there is no model.
        """
        if self.surrogate is None or self.space is None or self.history is None:
            raise Invalid({"x": [self.problem]})
        names = tuple(dict.fromkeys(name for name in (x, y) if name))
        for field, name in (("x", x), ("y", y)):
            if name and name not in self.surrogate.axes.names:
                known = ", ".join(self.surrogate.axes.names)
                raise Invalid({field: [f"{name!r} is not among the parameters that vary: choose one of {known}."]})
        number, params, is_next = self._held(at)
        held = anchor(self.surrogate, self.space.to_unit(params))
        if not names:
            present = [influence.name for influence in self.influences if influence.name in params]
            names = ((present or [self.influences[0].name])[0],)
        marks = [held]
        if self.next is not None and self.next.params:
            marks.append(self.surrogate.axes.latent(self.space.to_unit(self.next.params)[None])[0])
        made = cut(self.surrogate, self._sign, held, names, marks)
        missing, instead = {}, None
        if not made.present.any():
            active = self.surrogate.axes.active(made.points)
            missing = {
                side.name: str(self.space[side.name].condition) for side in made.sides if not active[:, side.axis].any()
            }
            row = best_with(self.surrogate, names)
            instead = int(self.history.numbers[row]) if row is not None else None
        columns = [side.axis for side in made.sides]
        where = (self.surrogate, self.history, names, held, columns)
        seen, running = seen_trials(*where), running_trials(*where)
        return StudyCut(names, made, number, params, is_next, seen, running, self.n_model - len(seen), missing, instead)

    def slices(self, at: str = "") -> list[tuple[Influence, Cut | None]]:
        """A coarse cut along every parameter, the strongest first; None for one that takes no part there.

        Raises Invalid as `cut` does.
        """
        if self.surrogate is None or self.space is None:
            return []
        _, params, _ = self._held(at)
        held = anchor(self.surrogate, self.space.to_unit(params))
        made = [
            (influence, cut(self.surrogate, self._sign, held, [influence.name], line=SMALL))
            for influence in self.influences
        ]
        return [(influence, found if found.present.any() else None) for influence, found in made]

    def _held(self, at: str) -> tuple[int, dict[str, Any], bool]:
        """Number and configuration to hold the other parameters at, and whether it is the suggestion."""
        history = self.history
        if history is None:
            raise RuntimeError("a model without a history holds nothing")
        if at == "next":
            if self.next is None or not self.next.params:
                raise Invalid({"at": ["There is no next trial to hold the parameters at: give a trial's number."]})
            return self.next.number, self.next.params, True
        if at in ("", "best"):
            complete = history.mask(TrialState.COMPLETE)
            losses = np.where(complete & np.isfinite(history.losses), history.losses, np.inf)
            row = int(np.argmin(losses))
        else:
            number = int(at) if at.isascii() and at.isdecimal() and len(at) < 10 else -1
            rows = np.flatnonzero(history.numbers == number)
            if len(rows) == 0:
                raise Invalid({"at": [f"There is no trial {at} in this search space: give a trial's number."]})
            row = int(rows[0])
        return int(history.numbers[row]), history.params(row), False


def study_model(study: Study) -> StudyModel:
    """The model of the study as it stands, fitted once for each history version."""
    digest = study.space.digest if study.space else ""
    # The last two are what "auto" decides by; a person may change them.
    key = (study.pk, study.created, study.history_version, digest, expected_trials(study), study.parallel)
    with _lock:
        model = _models.pop(key, None) or StudyModel(study)
        _models[key] = model
        while len(_models) > CACHED:
            _models.popitem(last=False)
    return model


def _model_options(study: Study) -> tuple[str, float, bool]:
    """The acquisition of the study's own sampler where that is the Gaussian process, else its default."""
    options = study.sampler_options if study.sampler == "gp" else {}
    settings = registry.make_sampler("gp", options).settings
    return settings["acquisition"], settings["kappa"], settings["input_warping"]
