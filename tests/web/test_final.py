"""The tab Final test: what is sealed, how far it is, the result; and the archive."""

import pytest

from tests.factories import make_slot
from tests.services.final import finished, revealed, with_test_metrics
from tests.web.conftest import words
from tuning.models import Job, SealedChoice
from tuning.services.job_endings import finish_job
from tuning.services.jobs import claim_job, note_progress
from tuning.web.templatetags.display import param


@pytest.fixture
def study(alice):
    return finished(alice)


def test_from_the_choice_to_the_result(as_alice, as_bob, study):
    tab, form = f"/studies/{study.pk}/final/", f"/studies/{study.pk}/finalise/"
    study.trials.update(run_seconds=30.0)  # of three epochs, the second the best
    before = words(as_alice.get(tab))
    assert "Nobody has looked yet" in before
    assert "trained with 3 fresh seeds, about 30 s a seed, and measured once" in before
    assert "Choose and seal" in before
    assert "Choose and seal" not in words(as_bob.get(tab))
    assert as_bob.get(form).status_code == 403
    asked = words(as_alice.get(form))
    rate = param(study.trials.get(number=1).params["lr"])
    assert f"trial 1: validation/loss 0.4000, about 30 s a seed (27 s on both splits) lr {rate}, " in asked
    assert "Why look again" not in asked
    wrong = as_alice.post(form, {"trial": "1", "seeds": "many", "retrain": "train"})
    assert wrong.status_code == 400
    assert 'value="many"' in wrong.content.decode()
    as_alice.post(form, {"trial": "1", "seeds": "2", "retrain": "train"})
    assert "Sealed, waits for a free slot" in words(as_bob.get(tab))
    slot = make_slot("here")
    job = claim_job(slot=slot)
    note_progress(job_id=job.pk, fence=job.fence, progress={"number": 1, "step": 2})
    assert "Seed 2 of 2 has trained 2 of 3 epochs" in words(as_alice.get(tab))
    finish_job(job_id=job.pk, fence=job.fence, error="data() raised OSError.")
    broken = words(as_alice.get(tab))
    assert "data() raised OSError." in broken
    assert "no second look" in broken
    as_alice.post(f"{form}again/")
    seal = SealedChoice.objects.get()
    revealed(seal, slot, test=0.54321)
    after = as_bob.get(tab)
    assert "Test loss 0.5482" in words(after)
    assert "is worse than the validation score" in words(after)
    assert "final-1-data" in after.content.decode()
    assert "Look again" not in words(after)
    assert "Why look again" in words(as_alice.get(form))
    refused = as_alice.post(form, {"trial": "0", "seeds": "2", "retrain": "train", "reason": " "})
    assert refused.status_code == 400
    assert "test reused once" in words(refused)
    assert Job.objects.filter(state="WAITING").count() == 0


def test_a_seed_that_diverged_is_told_beside_the_scores_of_the_others(as_alice, study):
    as_alice.post(f"/studies/{study.pk}/finalise/", {"trial": "1", "seeds": "3", "retrain": "train"})
    revealed(SealedChoice.objects.get(), make_slot("here"), test=0.5, diverged=1)
    text = words(as_alice.get(f"/studies/{study.pk}/final/"))
    assert "1 of 3 fresh seeds diverged and has no score" in text
    assert "Test loss 0.5150" in text
    assert "2 diverged diverged" in text, "in the table of the seeds"


def test_sealed_numbers_of_a_script_are_opened_at_once(as_alice, alice):
    study = with_test_metrics(alice, (0.73219,) * 3)
    tab = f"/studies/{study.pk}/final/"
    before = as_alice.get(tab)
    assert "test/loss (3 values)" in words(before)
    assert "7322" not in before.content.decode()
    assert "Fresh seeds" not in words(as_alice.get(f"/studies/{study.pk}/finalise/"))
    as_alice.post(f"/studies/{study.pk}/finalise/", {"trial": "1"})
    assert "Test loss 0.7322" in words(as_alice.get(tab))


def test_a_script_that_has_reported_no_test_metric_is_told_so(as_alice, alice):
    study = finished(alice, workload="", data="")
    assert "has reported no test metric" in words(as_alice.get(f"/studies/{study.pk}/final/"))


def test_a_study_with_a_reveal_is_archived_and_found_again(as_alice, alice):
    study = with_test_metrics(alice)
    as_alice.post(f"/studies/{study.pk}/finalise/", {"trial": "1"})
    assert "archive it" in words(as_alice.post(f"/studies/{study.pk}/delete/", follow=True))
    assert "The study is archived" in words(as_alice.post(f"/studies/{study.pk}/archive/", follow=True))
    assert study.name not in words(as_alice.get("/"))
    assert study.name in words(as_alice.get("/?state=archived"))
    as_alice.post(f"/studies/{study.pk}/unarchive/")
    assert study.name in words(as_alice.get("/"))
