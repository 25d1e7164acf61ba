"""The tab Importance: it waits for nothing, shows what mattered, and says why where it cannot."""

import time

import pytest
from django.core.cache import cache
from django.test import Client

from tests.services.test_importance import dropout_matters
from tests.services.test_linting import searched
from tests.web.conftest import poll, words
from tuning.models import Study
from tuning.services.importance import study_importance
from tuning.services.lifecycle import stop_study


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


def shown(client: Client, study: Study) -> str:
    return words(client.get(f"/studies/{study.pk}/importance/"))


def test_a_page_that_is_not_ready_polls_until_it_is(as_alice, alice):
    study = searched(alice, dropout_matters, 30)
    stop_study(study_id=study.pk, actor=alice)
    study.refresh_from_db()
    first = as_alice.get(f"/studies/{study.pk}/importance/")
    assert "Being computed" in words(first) and "hx-trigger" in first.content.decode()
    study_importance(study)  # waits for it
    deadline = time.monotonic() + 30
    answer = poll(as_alice, f"/studies/{study.pk}/importance/", first["ETag"])
    while answer.status_code == 304 and time.monotonic() < deadline:
        answer = poll(as_alice, f"/studies/{study.pk}/importance/", first["ETag"])
    assert answer.status_code == 286 and "What each parameter explains" in words(answer)  # a stopped study rests


def test_shares_pairs_remainder_and_the_other_questions(as_bob, alice):
    study = searched(alice, dropout_matters, 40)
    fanova = study_importance(study).methods["fanova"]
    text = shown(as_bob, study)
    assert f"dropout {100 * fanova.main['dropout']:.0f} %" in text
    assert "interactions and noise" in text and f"out-of-bag R² {fanova.r2:.2f}" in text
    assert f"forest of {study.n_complete} trials" in text and f"{study.n_failed} pruned or failed trial" in text
    for words_of in ("PED-ANOVA", "best tenth", "Permutation", "Rank correlation", "the value rise or fall?", "rises"):
        assert words_of.lower() in text.lower()
    assert "The mean along each parameter" in text and "sampler that learns" not in text
    page = as_bob.get(f"/studies/{study.pk}/importance/").content.decode()
    assert page.count('class="small-slice"') == 2 and "style=" not in page.split("<main", 1)[1]


def test_a_sampler_that_learns_is_warned_of(as_alice, alice):
    study = searched(alice, dropout_matters, 25, sampler="tpe")
    study_importance(study)
    count = study.n_complete
    assert f"{count} of the {count} complete trials were chosen by a sampler" in shown(as_alice, study)


def test_too_few_trials_and_no_difference_are_said_in_words(as_alice, alice):
    study = searched(alice, dropout_matters, 3)
    study_importance(study)
    assert "needs 20 complete trials" in shown(as_alice, study)
    same = searched(alice, lambda params: 1.0, 25, name="same")
    study_importance(same)
    assert "All 25 trials have the same value, 1" in shown(as_alice, same)


def test_a_private_study_is_not_there_for_others(as_bob, alice):
    study = searched(alice, dropout_matters, 0, visibility="private")
    assert as_bob.get(f"/studies/{study.pk}/importance/").status_code == 404
