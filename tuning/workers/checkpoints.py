"""The checkpoint files of a trial: where they lie, and which of them stay."""

import shutil
from pathlib import Path

from tuning.models import Trial
from tuning.selectors.artifacts import trial_folder
from tuning.selectors.work import accepted_checkpoints, dropped_with_checkpoints
from tuning.services.reporting import forget_dropped


def checkpoint_folder(trial: Trial) -> Path:
    """Where the trial's attempts write their checkpoints."""
    return trial_folder(trial) / "checkpoints"


def tidy_checkpoints(trial: Trial) -> None:
    """Once the trial has ended, keep its accepted checkpoints and delete the older ones beside them."""
    accepted = accepted_checkpoints(trial)
    folder = checkpoint_folder(trial)
    if accepted is None or not folder.is_dir():
        return
    kept = {Path(relative).name for relative in accepted}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink(missing_ok=True)


def drop_checkpoints() -> int:
    """Delete the checkpoints of trials that a scheduler has cut since; returns of how many."""
    dropped = dropped_with_checkpoints()
    for trial in dropped:
        for folder in (checkpoint_folder(trial), trial_folder(trial) / "program"):
            if folder.is_dir():
                shutil.rmtree(folder)
        forget_dropped(trial_id=trial.pk)
    return len(dropped)
