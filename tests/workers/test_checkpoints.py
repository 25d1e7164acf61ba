"""What becomes of checkpoint files: a trial that its scheduler has cut leaves none behind."""

import shutil
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.factories import make_slot
from tests.services.test_rungs import advance, ask, by_number, make
from tuning.models import Host, Trial
from tuning.selectors.artifacts import stored
from tuning.selectors.checkpoints import keepers
from tuning.services.checkpoints import give_up_checkpoints, note_checkpoints
from tuning.services.endings import complete_trial, fail_trial, requeue_trial
from tuning.services.lifecycle import stop_study
from tuning.services.retrying import retry_trial
from tuning.workers.checkpoints import checkpoint_folder, drop_checkpoints, keep_within_budget

pytestmark = pytest.mark.django_db


def with_file(trial):
    """Give a trial the checkpoint file that its attempt would have written."""
    folder = checkpoint_folder(trial)
    folder.mkdir(parents=True)
    path = folder / f"last-{trial.fence}-1.pt"
    path.write_bytes(b"weights")
    program = folder.parent / "program"
    program.mkdir(exist_ok=True)
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


# --- the disk that they may take --------------------------------------------------------------------------------------
MB = 2**20


def kept(trial, mb, ended=3600, *, name="last-1-f1.pt", **columns):
    """Give a trial a checkpoint of so many MB (sparse), and let it have ended so many seconds ago."""
    folder = checkpoint_folder(trial)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("wb") as file:
        file.truncate(mb * MB)
    columns |= {"checkpoint": stored(path), "checkpoint_step": 1}
    if Trial.objects.get(pk=trial.pk).state in Trial.TERMINAL:
        columns["completed"] = timezone.now() - timedelta(seconds=ended)
    Trial.objects.filter(pk=trial.pk).update(**columns)
    return path


def there(paths):
    return [path.exists() for path in paths]


def ended(study, *values):
    """Complete trials with these values, failed ones for None."""
    trials = [ask(study) for _ in values]
    for trial, value in zip(trials, values, strict=True):
        if value is None:
            fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="broken")
        else:
            complete_trial(trial_id=trial.pk, fence=trial.fence, value=value)
    return trials


def test_the_first_to_go_failed_or_were_pruned_then_go_the_worst_of_the_longest_ended_study(alice, settings, client):
    old, new = make(alice, "none", n_trials=3), make(alice, "none", n_trials=9)
    paths = [kept(trial, 1, seconds) for trial, seconds in zip(ended(old, 0.3, 0.1, 0.2), (900, 800, 700), strict=True)]
    old.refresh_from_db()
    assert (old.state, old.best_trial.number) == ("FINISHED", 1)
    later = zip(ended(new, 0.4, 0.9, None, None, 0.5), (600, 500, 90, 400, 300), strict=True)
    paths += [kept(trial, 1, seconds) for trial, seconds in later]
    order = [3 + 3, 3 + 2, 0, 2, 3 + 1, 3 + 4]  # and 1 and 3 + 0, the best, never
    for step in range(len(order) + 1):
        settings.CHECKPOINT_DISK_MB = len(paths) - step
        found = keep_within_budget()
        assert (found.total, found.excess) == (len(paths) - step, "")
        assert there(paths) == [place not in order[:step] for place in range(len(paths))]
        forgotten = Trial.objects.filter(checkpoint="", checkpoint_step=None, state__in=Trial.TERMINAL)
        assert forgotten.count() == step
    settings.CHECKPOINT_DISK_MB = 1
    found = keep_within_budget()
    assert (found.total, found.fixed) == (2, 2)
    assert found.excess.startswith("Checkpoints take 2 MB of the 1 MB that they may (HPWEB_CHECKPOINT_DISK_MB)")
    host = make_slot().device.host
    note_checkpoints(host_id=host.pk, megabytes=found.total, trouble=found.excess)
    client.force_login(alice)
    page = client.get(reverse("workers")).content.decode()
    assert "checkpoints take 2 MB" in page and "and none more can go" in page
    assert Host.objects.get(pk=host.pk).facts["cores"] == 2, "what else is known of it stays"
    settings.CHECKPOINT_DISK_MB = 0
    assert keep_within_budget().excess == "", "no limit"


def test_what_may_go_on_stays_whatever_it_takes(alice, settings):
    settings.CHECKPOINT_DISK_MB = 1
    study = make(alice, "successive_halving", n_trials=9)
    trials = [ask(study) for _ in range(4)]
    advance(trials[0], by_number)  # PAUSED
    requeue_trial(trial_id=trials[1].pk, fence=trials[1].fence, why="lost", lost=True)
    fail_trial(trial_id=trials[2].pk, fence=trials[2].fence, reason_code="code_error", reason="broken")
    paths = [kept(trial, 5) for trial in trials]
    assert keep_within_budget().total == 15
    assert there(paths) == [True, True, False, True]
    stop_study(study_id=study.pk, actor=alice)
    Trial.objects.update(completed=timezone.now() - timedelta(seconds=120))
    keep_within_budget()
    study.refresh_from_db()
    assert study.best_trial.number == 0
    assert there(paths) == [True, False, False, False]


def test_a_trial_that_has_only_just_ended_is_left_to_its_worker(alice, settings):
    settings.CHECKPOINT_DISK_MB = 1
    trial = ended(make(alice, "none"), None)[0]
    path = kept(trial, 5, ended=5)
    assert keep_within_budget().fixed == 5
    assert path.exists()


def test_the_folder_from_which_a_retry_goes_on_stays_until_the_retry_has_gone(alice, settings):
    settings.CHECKPOINT_DISK_MB = 1
    study = make(alice, "none")
    failed = ended(study, None)[0]
    path = kept(failed, 5)
    retry = retry_trial(trial_id=failed.pk, actor=alice)
    assert keep_within_budget().total == 5
    assert path.exists()
    again = ask(study)
    fail_trial(trial_id=again.pk, fence=again.fence, reason_code="code_error", reason="broken")
    Trial.objects.filter(pk=retry.pk).update(completed=timezone.now() - timedelta(seconds=120))
    for _ in range(2):  # the retry first, which owns no file, then the trial whose folder it was
        keep_within_budget()
    assert not path.exists()


def test_a_retry_that_comes_between_the_look_and_the_lock_keeps_its_file(alice, settings):
    settings.CHECKPOINT_DISK_MB = 1
    study = make(alice, "none")
    failed = ended(study, None)[0]
    path = kept(failed, 5)
    (keeper,) = keepers()
    assert keeper.may_go
    retry_trial(trial_id=failed.pk, actor=alice)
    folder = stored(path.parent.parent)
    call = {"trial_id": failed.pk, "study_id": study.pk, "folder": folder}
    assert not give_up_checkpoints(**call, delete=lambda: pytest.fail("deleted"))


def test_a_crash_between_file_and_row_is_made_good_by_the_next_look_or_by_a_retry(alice, settings):
    settings.CHECKPOINT_DISK_MB = 1
    study = make(alice, "none")
    first, second, third = ended(study, None, None, None)
    path = kept(first, 5, 900)
    other = kept(second, 5, 800)
    path.unlink()  # and then the host died
    keep_within_budget()
    first.refresh_from_db()
    assert (first.checkpoint, other.exists()) == ("", False)
    gone = kept(third, 5)
    gone.unlink()
    assert retry_trial(trial_id=third.pk, actor=alice).checkpoint_step == 1  # its worker finds it gone: it starts anew


def test_one_file_with_two_names_counts_once(alice, settings):
    settings.CHECKPOINT_DISK_MB = 10
    trial = ended(make(alice, "none"), None)[0]
    path = kept(trial, 5)
    path.with_name("best-1-f1.pt").hardlink_to(path)
    assert keep_within_budget().total == 5


def test_a_folder_that_another_host_is_deleting_is_no_error(alice, settings, monkeypatch):
    settings.CHECKPOINT_DISK_MB = 1
    trial = ended(make(alice, "none"), None)[0]
    path = kept(trial, 5)
    really = shutil.rmtree

    def meanwhile(folder):
        really(folder)
        raise FileNotFoundError(folder)

    monkeypatch.setattr(shutil, "rmtree", meanwhile)
    assert keep_within_budget().total == 0
    assert not path.exists()


def test_a_disk_that_refuses_is_tried_again(alice, settings, monkeypatch):
    settings.CHECKPOINT_DISK_MB = 1
    trial = ended(make(alice, "none"), None)[0]
    path = kept(trial, 5)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda folder: (_ for _ in ()).throw(PermissionError(folder)))
        assert keep_within_budget().total == 5
        trial.refresh_from_db()
        assert trial.checkpoint
    assert keep_within_budget().total == 0
    assert not path.exists()
