"""Each version of a PyTorch workload has its data counted and fingerprinted once, by a job."""

import json

import pytest

from tests.factories import DESCRIPTION, make_study, make_workload
from tuning.models import Job, Split
from tuning.selectors.workloads import split_of
from tuning.services.workloads import store_descriptions, store_split

pytestmark = pytest.mark.django_db
RESULT = {
    "digest": "d" * 64,
    "sizes": {"train": 6, "validation": 2, "test": 2},
    "hashes": {"train": ["aa"], "validation": ["bb"], "test": ["cc"]},
}


def test_starting_a_study_asks_for_the_split_once(alice) -> None:
    make_workload("tiny", counted=False)
    make_study(alice, workload="tiny", started=True)
    make_study(alice, workload="tiny", started=True)
    assert [(job.kind, job.args) for job in Job.objects.all()] == [("split", {"workload": "tiny"})]


def test_a_counted_workload_is_not_counted_again(alice) -> None:
    make_workload("tiny", counted=False)
    store_split(workload="tiny", result=RESULT)
    make_study(alice, workload="tiny", started=True)
    assert not Job.objects.exists()


def test_scripts_have_no_split(alice) -> None:
    make_study(alice, started=True)
    assert not Job.objects.exists()


def test_a_split_keeps_sizes_in_the_table_and_hashes_in_a_private_file(alice, settings) -> None:
    split = store_split(workload="tiny", result=RESULT)
    path = settings.ARTIFACT_DIR / split.artifact
    assert split_of("tiny") == split
    assert split.sizes == RESULT["sizes"]
    assert json.loads(path.read_text()) == RESULT["hashes"]
    assert path.stat().st_mode & 0o077 == 0


def test_changed_code_is_counted_anew(alice) -> None:
    store_descriptions(entries=[{**DESCRIPTION}])
    store_split(workload="tiny", result=RESULT)
    store_descriptions(entries=[{**DESCRIPTION}])
    assert Split.objects.count() == 1
    store_descriptions(entries=[{**DESCRIPTION, "digest": "1" * 64}])
    assert split_of("tiny") is None
