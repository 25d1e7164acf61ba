"""Holding a job to the data that its study is pinned to; the first one of a study pins it."""

from __future__ import annotations

from collections.abc import Callable

from tuning.runner.inbox import Inbox
from tuning.training import Splits, Workload
from tuning.training.examples import examples_digest, load_data

QUESTION = 0  # suggestions are numbered from 1
UNSTEADY = (
    "The examples of this workload are not the same from one reading to the next, so that trials cannot be held to the "
    "same data. Let dataset[i] draw from the own generator of torch, numpy or python, which hpweb seeds, and from none "
    "of its making."
)


class OtherData(Exception):
    """This host's data are not those of the study: `digest` is theirs; "" and `error` where they cannot be read."""

    def __init__(self, digest: str, error: str = "") -> None:
        super().__init__(error or f"the data are {digest[:12]}")
        self.digest, self.error = digest, error


class DataPin:
    """A study's pin: the digest of its data, "" while nobody has read them, None where the study has no pin."""

    def __init__(self, pinned: str | None, inbox: Inbox) -> None:
        self._pinned, self._inbox = pinned, inbox

    def load(self, workload: Workload) -> Splits:
        """A PyTorch workload's data, if they are the study's.

        Raises:
            OtherData: they differ, or cannot be read here.
        """
        try:
            splits = load_data(workload)
        except OSError as error:
            if self._pinned:  # another process of this code could: it is this host's files that are missing
                raise OtherData("", f"{type(error).__name__}: {error}") from error
            raise
        if self._pinned is not None:
            self.hold(lambda: examples_digest(splits))
        return splits

    def hold(self, measure: Callable[[], str]) -> None:
        """Compare what `measure` finds with the pin; of what it does not find twice nothing can be said.

        Raises:
            OtherData: they differ.
        """
        found = measure()
        if self._pinned is None or found == self._pinned:
            return
        if measure() != found:
            finding = {"rule": "data-unsteady", "severity": "warning", "message": UNSTEADY}
            self._inbox.channel.send({"type": "finding", **finding, "evidence": {}, "fix": None})
        elif self._pinned or not self._agreed(found):
            raise OtherData(found)

    def _agreed(self, found: str) -> bool:
        """Whether the worker pins the study to what is found, or has to these; a job that is to end need not know."""
        self._inbox.channel.send({"type": "data", "id": QUESTION, "digest": found})
        reply = self._inbox.reply(QUESTION)
        return reply is None or reply.get("go") is True


def steady_digest(splits: Splits) -> str:
    """The digest of the examples, "" where they are not the same from one reading to the next."""
    found = examples_digest(splits)
    return found if examples_digest(splits) == found else ""
