"""The checkpoint files of a trial: where they lie, and which of them stay."""

from pathlib import Path

from tuning.models import Trial
from tuning.selectors.artifacts import trial_folder


def checkpoint_folder(trial: Trial) -> Path:
    """Where the trial's attempts write their checkpoints."""
    return trial_folder(trial) / "checkpoints"


def tidy_checkpoints(trial: Trial) -> None:
    """Once the trial has ended, keep its accepted checkpoints and delete the older ones beside them."""
    row = Trial.objects.filter(pk=trial.pk).values_list("state", "checkpoint", "best_checkpoint").first()
    folder = checkpoint_folder(trial)
    if row is None or row[0] not in Trial.TERMINAL or not folder.is_dir():
        return
    accepted = {Path(relative).name for relative in row[1:]}
    for path in folder.iterdir():
        if path.name not in accepted:
            path.unlink(missing_ok=True)
