"""One start after another: run the job of its kind and answer with exactly one result or error."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch

from tuning.runner.describe import describe
from tuning.runner.failures import Failure, JobError
from tuning.runner.inbox import Inbox
from tuning.runner.objective import run_objective
from tuning.runner.protocol import Channel, ChannelClosed, ProtocolError
from tuning.runner.split import split
from tuning.runner.train import run_training
from tuning.training.catalogue import Catalogue

Job = Callable[[dict[str, Any], Catalogue, Inbox], dict[str, Any]]

KINDS: dict[str, Job] = {
    "describe": describe,
    "objective": run_objective,
    "split": split,
    "train": run_training,
}


class Session:
    """The life of a trial process after its hello."""

    def __init__(self, channel: Channel, catalogue: Catalogue) -> None:
        self._channel = channel
        self._catalogue = catalogue
        self._inbox = Inbox(channel)

    def serve(self) -> None:
        """Serve starts until the worker says exit.

        Raises:
            ChannelClosed: the worker is gone.
        """
        while (start := self._inbox.next_start()) is not None:
            try:
                self._channel.send(self._answer(start))
            except ProtocolError as error:  # a result that no line can hold
                self._channel.send({"type": "error", **Failure.of(error, {}).to_json()})
            self._clean_up()

    def _answer(self, start: dict[str, Any]) -> dict[str, Any]:
        spec = start.get("spec", {})
        if not isinstance(spec, dict):
            spec = {}
        try:
            job = KINDS.get(start.get("kind", ""))
            if job is None:
                raise JobError(f"the kind {start.get('kind')!r} is unknown; there are {', '.join(KINDS)}")
            return {"type": "result", **job(spec, self._catalogue, self._inbox)}
        except ChannelClosed:
            raise
        except (Exception, SystemExit) as error:  # whatever the user's code raises is the trial's outcome
            return {"type": "error", **Failure.of(error, spec).to_json()}

    def _clean_up(self) -> None:
        """Give the last job's memory back, so that the next one is measured alone."""
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
