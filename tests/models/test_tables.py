"""What the tables themselves refuse, and that the migrations make them, and can be taken back."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from tests.factories import make_running, make_slot, make_study
from tuning.models import Attempt, Job, Metric, MetricChunk, Study, Trial


def refused(action):
    with pytest.raises(IntegrityError), transaction.atomic():
        action()


def test_numbers_names_and_ends_are_unique_in_a_study(alice):
    study = make_study(alice)
    first = Trial.objects.create(study=study, number=0, finish_seq=1)
    refused(lambda: Trial.objects.create(study=study, number=0))
    refused(lambda: Trial.objects.create(study=study, number=1, finish_seq=1))
    refused(lambda: Study.objects.create(owner=alice, name=study.name))
    refused(lambda: Study.objects.filter(pk=study.pk).update(parallel=0))
    Attempt.objects.create(trial=first, fence=1)
    refused(lambda: Attempt.objects.create(trial=first, fence=1))
    metric = Metric.objects.create(study=study, name="loss")
    refused(lambda: Metric.objects.create(study=study, name="loss"))
    chunk = {"trial": first, "metric": metric, "fence": 1, "first_step": 1, "n": 0}
    MetricChunk.objects.create(**chunk, steps=b"", values=b"", wall_times=b"")
    refused(lambda: MetricChunk.objects.create(**chunk, steps=b"", values=b"", wall_times=b""))
    Trial.objects.create(study=study, number=2)  # several may have no end yet
    Trial.objects.create(study=study, number=3)


def test_a_slot_holds_one_running_trial_and_one_running_job(alice):
    study, slot = make_study(alice, started=True, workload="tiny"), make_slot()
    make_running(study, slot)
    refused(lambda: Trial.objects.create(study=study, number=9, state="RUNNING", slot=slot))
    Trial.objects.create(study=study, number=9, state="FAILED", slot=slot)
    Job.objects.create(kind="x", state="RUNNING", slot=slot)
    refused(lambda: Job.objects.create(kind="x", state="RUNNING", slot=slot))


def test_an_open_request_is_there_once(db):
    Job.objects.create(kind="x", dedupe="same")
    refused(lambda: Job.objects.create(kind="x", dedupe="same"))
    Job.objects.update(state="COMPLETE")
    Job.objects.create(kind="x", dedupe="same")
    Job.objects.create(kind="x")
    Job.objects.create(kind="x")


def test_an_owner_with_studies_and_a_space_with_trials_are_protected(alice):
    study = make_study(alice, started=True)
    trial = make_running(study)
    with pytest.raises(ProtectedError):
        alice.delete()
    with pytest.raises(ProtectedError):
        trial.space.delete()


def test_ids_are_never_used_again(alice):
    study = make_study(alice)
    Study.objects.filter(pk=study.pk).update(space=None)
    former = study.pk
    study.delete()
    assert make_study(alice).pk > former


@pytest.mark.skipif(connection.vendor != "sqlite", reason="makes a SQLite database of its own; once is enough")
def test_migrations_are_complete_and_can_be_taken_back(tmp_path):
    environment = {**os.environ, "HPWEB_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "hpweb.settings"}
    code = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('makemigrations', '--check', '--dry-run', verbosity=0)\n"
        "for target in ((), ('tuning', 'zero'), ()):\n"
        "    call_command('migrate', *target, verbosity=0)\n"
        "from django.db import connection\n"
        "tables = [name for name in connection.introspection.table_names() if name.startswith('tuning_')]\n"
        "assert len(tables) >= 18, tables\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
