"""What a suggestion was after: to start the model, to learn, to improve, to survey, or to try what somebody gave.

Samplers say why in a sentence; this is the one place that reads those sentences. The tests ask every sampler.
"""

from __future__ import annotations

from enum import StrEnum


class Intent(StrEnum):
    """START-UP fills the space before a model decides; EXPLORE goes where the model knows little, EXPLOIT to where
    it expects to improve; SURVEY spreads over the space without a model; GIVEN came from a person, a script or an
    earlier study; UNKNOWN says nothing of the kind."""

    STARTUP = "startup"
    EXPLORE = "explore"
    EXPLOIT = "exploit"
    SURVEY = "survey"
    GIVEN = "given"
    UNKNOWN = "unknown"


# The first beginning that fits decides, so the particular ones stand before the general ones.
BEGINNINGS: tuple[tuple[str, Intent], ...] = (
    ("Start-up design", Intent.STARTUP),
    ("GP: all values so far are the same", Intent.STARTUP),
    ("GP: exploring", Intent.EXPLORE),
    ("GP: expected to", Intent.EXPLOIT),
    ("GP: the most promising", Intent.EXPLOIT),
    ("TPE: a fresh draw", Intent.EXPLORE),
    ("TPE: away from", Intent.EXPLORE),
    ("TPE: near", Intent.EXPLOIT),
    ("TPE: each parameter near", Intent.EXPLOIT),
    ("TPE: the space has this configuration alone", Intent.SURVEY),
    ("Random:", Intent.SURVEY),
    ("Quasi-random:", Intent.SURVEY),
    ("Grid:", Intent.SURVEY),
)
GIVEN_ORIGINS = frozenset({"enqueued", "added", "script", "earlier", "retry"})


def intent_of(why: str, origin: str = "asked") -> Intent:
    """The intent of a trial by its sampler's sentence and by where its configuration came from."""
    if origin in GIVEN_ORIGINS:
        return Intent.GIVEN
    return next((intent for beginning, intent in BEGINNINGS if why.startswith(beginning)), Intent.UNKNOWN)
