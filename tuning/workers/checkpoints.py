"""The checkpoint files of a trial: where they lie, and which of them stay."""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from tuning.models import Trial
from tuning.selectors.artifacts import folder_of, stored, trial_folder
from tuning.selectors.checkpoints import Keeper, keepers
from tuning.selectors.work import accepted_checkpoints, dropped_with_checkpoints
from tuning.services.checkpoints import give_up_checkpoints
from tuning.services.errors import NotFound
from tuning.services.reporting import forget_dropped

logger = logging.getLogger(__name__)
PARTS = ("checkpoints", "program")  # of a trial's folder; its logs stay


@dataclass(frozen=True)
class Kept:
    """What checkpoints take on the disk, in MB: all of them, and those that must stay."""

    total: float
    fixed: float

    @property
    def excess(self) -> str:
        """Why the budget is exceeded all the same, in words; empty where it is not."""
        if not settings.CHECKPOINT_DISK_MB or self.total <= settings.CHECKPOINT_DISK_MB:
            return ""
        return (
            f"Checkpoints take {self.total:,.0f} MB of the {settings.CHECKPOINT_DISK_MB:,.0f} MB that they may "
            "(HPWEB_CHECKPOINT_DISK_MB), and none more can go: trials would lose what they have trained, or studies "
            "their best model. Raise the limit, end or delete studies, or run fewer trials at once."
        )


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
    dropped = [trial for trial in dropped_with_checkpoints() if _delete(trial_folder(trial))]
    for trial in dropped:
        forget_dropped(trial_id=trial.pk)
    return len(dropped)


def keep_within_budget() -> Kept:
    """Delete checkpoints in the order of `keepers` until all fit into HPWEB_CHECKPOINT_DISK_MB; what stays.

    Several hosts may do it at once: a file that is gone already is no error, and the second finds nothing to do.
    """
    found = [(keeper, _size(keeper)) for keeper in keepers()]
    total = sum(size for _, size in found)
    for keeper, size in found:
        if keeper.may_go and total > settings.CHECKPOINT_DISK_MB * 2**20 and _give_up(keeper):
            total -= size
    return Kept(total / 2**20, sum(size for keeper, size in found if not keeper.may_go) / 2**20)


def _give_up(keeper: Keeper) -> bool:
    folder = folder_of(keeper.study_id, keeper.number)
    try:
        return give_up_checkpoints(
            trial_id=keeper.trial_id, study_id=keeper.study_id, folder=stored(folder), delete=lambda: _delete(folder)
        )
    except NotFound:
        return False  # the study was deleted meanwhile


def _delete(folder: Path) -> bool:
    """Delete what a trial keeps; False, and a line in the log, where the disk refuses: then the next look tries again.

    Another host may be doing the same.
    """
    for part in (folder / name for name in PARTS):
        while part.is_dir():
            try:
                shutil.rmtree(part)
            except FileNotFoundError:
                continue
            except OSError as error:
                logger.warning("the checkpoints in %s cannot be deleted: %s", part, error)
                return False
    return True


def _size(keeper: Keeper) -> int:
    """Bytes of what a trial keeps; a file with two names, the last checkpoint that is also the best, counts once."""
    files: dict[tuple[int, int], int] = {}
    for part in PARTS:
        for place, _, names in os.walk(folder_of(keeper.study_id, keeper.number) / part):
            for name in names:
                try:
                    found = os.lstat(os.path.join(place, name))
                except FileNotFoundError:
                    continue  # a running trial has replaced it
                files[found.st_dev, found.st_ino] = found.st_size
    return sum(files.values())
