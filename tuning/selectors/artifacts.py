"""Where a trial's files lie below ARTIFACT_DIR: one folder a trial, never a path that came from outside."""

from pathlib import Path

from django.conf import settings

from tuning.models import Attempt, SealedChoice, Trial
from tuning.selectors.errors import NotFound


def trial_folder(trial: Trial) -> Path:
    return folder_of(trial.study_id, trial.number)


def folder_of(study_id: int, number: int) -> Path:
    """The folder of the study's trial of this number."""
    return Path(settings.ARTIFACT_DIR) / f"study-{study_id}" / f"trial-{number}"


def final_folder(seal: SealedChoice) -> Path:
    """The folder of the models that a sealed choice trains."""
    return Path(settings.ARTIFACT_DIR) / f"study-{seal.study_id}" / f"final-{seal.pk}"


def stored(path: Path) -> str:
    """The form in which a path is stored: below ARTIFACT_DIR, so that shared storage may be mounted anywhere.

    Raises ValueError for a path outside of it.
    """
    return str(path.resolve().relative_to(Path(settings.ARTIFACT_DIR).resolve()))


def opened(relative: str) -> Path:
    """The real path of a stored one. Raises NotFound where the file is gone or would lie outside ARTIFACT_DIR."""
    root = Path(settings.ARTIFACT_DIR).resolve()
    path = (root / relative.replace("\x00", "\ufffd")).resolve()
    if not relative or not path.is_relative_to(root) or not _is_file(path):
        raise NotFound(f"The file {relative or '(none)'} is not in the artifact folder of this host.")
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a name that no file system takes


def log_segments(path: Path) -> tuple[Path, Path]:
    """The older and the newer half of a log's tail, beside it while it is being written."""
    return path.with_name(path.name + ".tail.old"), path.with_name(path.name + ".tail")


def log_gap(path: Path) -> Path:
    """Where the writer of a log notes, while it writes, how much lies between head and tail: {"bytes", "lines"}."""
    return path.with_name(path.name + ".gap")


def log_path(attempt: Attempt) -> Path:
    """The log of one attempt. Raises NotFound where it was not kept or lies on a host that shares no storage."""
    return opened(attempt.log)
