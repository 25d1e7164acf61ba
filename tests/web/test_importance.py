"""The tab Importance: it waits for nothing, shows what mattered and for what, and says why where it cannot."""

import pytest
from django.core.cache import cache
from django.test import Client

from tests.factories import make_slot
from tests.services.test_importance import dropout_matters, looked, trained
from tests.services.test_linting import searched
from tests.web.conftest import poll, words
from tuning.models import Study
from tuning.services.importance import importance_soon
from tuning.services.lifecycle import stop_study


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


def shown(client: Client, study: Study, query: str = "") -> str:
    return words(client.get(f"/studies/{study.pk}/importance/{query}"))


def test_a_page_that_is_not_ready_polls_until_it_is(as_alice, alice):
    study = searched(alice, dropout_matters, 30)
    stop_study(study_id=study.pk, actor=alice)
    assert "no worker is alive" in shown(as_alice, study)
    make_slot()
    cache.clear()
    first = as_alice.get(f"/studies/{study.pk}/importance/")
    assert "Being computed by a worker" in words(first) and "hx-trigger" in first.content.decode()
    assert poll(as_alice, f"/studies/{study.pk}/importance/", first["ETag"]).status_code == 304
    looked(study)
    answer = poll(as_alice, f"/studies/{study.pk}/importance/", first["ETag"])
    assert answer.status_code == 286 and "What each parameter explains" in words(answer)  # a stopped study rests


def test_shares_pairs_remainder_and_the_other_questions(as_bob, alice):
    study = looked(searched(alice, dropout_matters, 40))
    fanova = importance_soon(study).methods["fanova"]
    text = shown(as_bob, study)
    assert f"dropout {100 * fanova.main['dropout']:.0f} %" in text
    assert "interactions and noise" in text and f"out-of-bag R² {fanova.r2:.2f}" in text
    chosen = f"{study.n_complete} trials, none chosen by a sampler that learns"
    assert text.count(chosen) == 4, "every method says what it rests on"
    assert f"{study.n_failed} other trial" in text and "validation/loss of the complete trials" in text
    for words_of in ("PED-ANOVA", "best tenth", "Permutation", "Rank correlation", "the value rise or fall?", "rises"):
        assert words_of.lower() in text.lower()
    page = as_bob.get(f"/studies/{study.pk}/importance/").content.decode()
    assert page.count('class="marginal"') == 2 and "style=" not in page.split("<main", 1)[1]
    assert 'id="pair-map-data"' in page and "the mean of validation/loss over lr and dropout" in text


def test_training_time_and_stability_are_links_that_keep_their_pair(as_bob, alice):
    study = looked(trained(alice, 25))
    page = as_bob.get(f"/studies/{study.pk}/importance/?target=seconds").content.decode()
    assert 'href="?target=seconds" aria-current="true"' in page and 'href="?target=stability"' in page
    text = shown(as_bob, study, "?target=seconds")
    assert "seconds per step" in text and "make the training time vary" in text and "quickest tenth" in text
    assert "the steadiest" in shown(as_bob, study, "?target=stability")
    assert shown(as_bob, study, "?target=price") == shown(as_bob, study), "what is unknown is the score"


def test_a_sampler_that_learns_is_warned_of(as_alice, alice):
    study = looked(searched(alice, dropout_matters, 25, sampler="tpe"))
    count = study.n_complete
    text = shown(as_alice, study)
    assert f"{count} of the {count} trials were chosen by a sampler" in text
    assert text.count(f"{count} trials, {count} of them chosen by a sampler that learns") == 4


def test_too_few_trials_and_no_difference_are_said_in_words(as_alice, alice):
    assert "needs 20 complete trials" in shown(as_alice, searched(alice, dropout_matters, 3))
    same = looked(searched(alice, lambda params: 1.0, 25, name="same"))
    assert "All 25 trials have the same value, 1" in shown(as_alice, same)


def test_a_private_study_is_not_there_for_others(as_bob, alice):
    study = searched(alice, dropout_matters, 0, visibility="private")
    assert as_bob.get(f"/studies/{study.pk}/importance/").status_code == 404


IDLE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    "width": {"type": "int", "low": 8, "high": 64},
}


def test_what_does_not_matter_is_frozen_by_one_click_once_the_workers_have_looked(as_alice, as_bob, alice):
    study = searched(alice, lambda params: 10 * params["dropout"] ** 2 + params["lr"], 60, space=IDLE)
    make_slot()
    overview = f"/studies/{study.pk}/"
    first = as_alice.get(overview)
    assert "width explains" not in words(first)
    assert poll(as_alice, overview, first["ETag"]).status_code == 304
    looked(study)
    answer = poll(as_alice, overview, first["ETag"])
    assert answer.status_code == 200 and "width explains less than 1 %" in words(answer)
    best = study.best_trial.params["width"]
    click = f"{overview}ranges/?fix=FREEZE&amp;parameter=width"
    assert click in answer.content.decode() and click not in as_bob.get(overview).content.decode()
    page = as_alice.get(f"{overview}ranges/?fix=FREEZE&parameter=width").content.decode()
    assert f'value="{best}"' in page and "width explains less than 1 %" in page
    (finding,) = [each for each in as_bob.get(f"/api/v1/studies/{study.pk}/lint/").json()["findings"]
                  if each["parameter"] == "width"]  # fmt: skip
    assert (finding["rule"], finding["fix"]) == ("FREEZE", {"type": "constant", "value": best})
    assert (finding["evidence"]["trials"], finding["evidence"]["adaptive"]) == (60, 0)
