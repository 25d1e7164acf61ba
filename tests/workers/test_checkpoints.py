"""What becomes of checkpoint files: a trial that its scheduler has cut leaves none behind."""

import pytest

from tests.services.test_rungs import advance, ask, by_number, make
from tuning.models import Trial
from tuning.selectors.artifacts import stored
from tuning.workers.checkpoints import checkpoint_folder, drop_checkpoints

pytestmark = pytest.mark.django_db


def with_file(trial):
    """Give a trial the checkpoint file that its attempt would have written."""
    folder = checkpoint_folder(trial)
    folder.mkdir(parents=True)
    path = folder / f"last-{trial.fence}-1.pt"
    path.write_bytes(b"weights")
    program = folder.parent / "program"
    program.mkdir()
    (program / "state").write_text("its own")
    Trial.objects.filter(pk=trial.pk).update(checkpoint=stored(path), checkpoint_step=1)
    return path


def test_the_checkpoints_of_trials_that_were_cut_are_deleted_and_no_others(alice):
    study = make(alice, "successive_halving", n_trials=3, max_resource=3)
    trials = [ask(study) for _ in range(3)]
    for trial in trials[:2]:
        advance(trial, by_number)
    paths = [with_file(trial) for trial in trials]
    assert drop_checkpoints() == 0
    advance(trials[2], by_number)  # the rung is cut: trial 2 goes on
    Trial.objects.filter(pk=trials[2].pk).update(checkpoint=stored(paths[2]))
    assert drop_checkpoints() == 2
    assert [path.exists() for path in paths] == [False, False, True]
    assert not (paths[0].parent.parent / "program").exists()
    assert [trial.checkpoint != "" for trial in study.trials.order_by("number")] == [False, False, True]
    assert drop_checkpoints() == 0


def test_files_that_are_gone_already_are_no_error(alice):
    study = make(alice, "successive_halving", n_trials=3, max_resource=3)
    for _ in range(3):
        advance(ask(study), by_number)
    assert drop_checkpoints() == 2
