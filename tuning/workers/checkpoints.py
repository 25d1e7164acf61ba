"""The checkpoint files of a trial: where they lie, and which of them stay."""

from pathlib import Path

from tuning.models import Trial
from tuning.selectors.artifacts import trial_folder
from tuning.selectors.work import accepted_checkpoints


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
