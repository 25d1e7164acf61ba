"""The tab Model: what it shows of a study's surrogate, on any choice of parameters, and what it says without one."""

import json
import math
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.factories import make_running, make_study, report
from tests.web.conftest import words
from tuning.models import Study, Trial
from tuning.services.endings import complete_trial
from tuning.services.lifecycle import stop_study

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "<i>adamw</i>"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 4},
}
CUTS = ["", "?x=lr", "?x=optimizer", "?x=layers&at=2", "?x=lr&y=layers", "?x=lr&y=optimizer&map=promise", "?at=next"]


def run(study: Study, n: int, of: Any = None) -> Study:
    """n trials, complete with a loss that is least at a learning rate of 1e-3, or with what `of` gives."""
    for _ in range(n):
        trial = make_running(study)
        loss = of(trial.params) if of else (math.log10(trial.params["lr"]) + 3) ** 2 + 0.05 * trial.params["layers"]
        report(trial, [loss])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    study.refresh_from_db()
    return study


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Other tests' studies have had these numbers."""
    cache.clear()


@pytest.fixture
def study(alice: User) -> Study:
    return run(make_study(alice, space=SPACE, sampler="gp", started=True, n_trials=30), 12)


def figures(content: bytes) -> dict[str, dict[str, Any]]:
    found = re.findall(r'<script id="([\w-]+)-data" type="application/json">(.*?)</script>', content.decode(), re.S)
    return {name: json.loads(text) for name, text in found}


@pytest.mark.parametrize("query", CUTS)
def test_every_cut_is_drawn_and_has_its_table(as_alice: Client, study: Study, query: str) -> None:
    answer = as_alice.get(f"/studies/{study.pk}/model/{query}")
    assert answer.status_code == 200
    drawn = figures(answer.content)
    shown = {"plane", "second-plane"} if "y=" in query else {"slice"}
    assert set(drawn) == shown | {"intents", "validation"}
    assert all(figure["data"] for figure in drawn.values())
    assert answer.content.count(b"<details") >= len(shown) + 1
    assert b"<i>adamw" not in answer.content


def test_the_page_says_what_is_held_where_the_next_one_goes_and_how_good_the_model_is(
    as_alice: Client, study: Study
) -> None:
    text = words(as_alice.get(f"/studies/{study.pk}/model/"))
    best = study.best_trial
    assert "What the model expects along lr" in text
    assert f"all other parameters, as in trial {best.number}" in text
    assert f"layers {best.params['layers']}" in text
    assert "Gaussian process of 12 trials" in text
    assert "As things stand, trial 12 would be:" in text
    assert re.search(r"[\d.]+ expected, 95 %: [\d.-]+ to [\d.]+ GP:", text)
    assert re.search(r"rank correlation -?\d\.\d\d\)\. \d+ % lie within its 95 % band", text)
    assert re.search(r"8 start-up .*4 explor|8 start-up .*exploiting", text)
    assert "chooses without this model" not in text


def test_the_choice_is_in_the_form_and_in_the_links(as_alice: Client, study: Study) -> None:
    page = as_alice.get(f"/studies/{study.pk}/model/?x=layers&y=lr&at=3&map=promise").content.decode()
    form = page.partition('id="cut"')[2].partition("</form>")[0]
    assert re.findall(r"<option selected>([^<]+)", form) == ["layers", "lr"]
    assert 'name="at" value="3"' in form
    assert '<input type="hidden" name="map" value="promise">' in form
    assert "?x=layers&amp;y=lr&amp;at=next&amp;map=promise" in form
    assert "?x=layers&amp;y=lr&amp;at=3" in page.partition("What it promises")[2]
    assert "?x=optimizer&amp;at=3" in page.partition("Every parameter")[2]


def test_every_parameter_has_a_small_slice(as_alice: Client, study: Study) -> None:
    page = as_alice.get(f"/studies/{study.pk}/model/").content.decode()
    lacks = "momentum" not in study.best_trial.params
    assert page.count('<svg class="small-slice"') == (3 if lacks else 4)
    assert ("takes no part here" in page) is lacks


def test_a_parameter_that_takes_no_part_is_said_with_a_way_out(as_alice: Client, study: Study) -> None:
    without = next(trial for trial in study.trials.all() if "momentum" not in trial.params)
    answer = as_alice.get(f"/studies/{study.pk}/model/?x=momentum&at={without.number}")
    assert f'momentum takes no part in trial {without.number}: it does only when optimizer is "sgd".' in words(answer)
    link = re.search(r'<a href="(\?x=momentum&amp;at=\d+)">Hold the others', answer.content.decode())
    assert link is not None
    there = as_alice.get(f"/studies/{study.pk}/model/{link[1].replace('&amp;', '&')}")
    assert "slice" in figures(there.content)


@pytest.mark.parametrize(
    ("query", "remedy"),
    [("?x=lrr", "choose one of lr"), ("?x=lr&y=q", "choose one of lr"), ("?at=99", "give a trial's number")],
)
def test_a_wrong_choice_is_refused_with_the_remedy(as_alice: Client, study: Study, query: str, remedy: str) -> None:
    answer = as_alice.get(f"/studies/{study.pk}/model/{query}")
    assert answer.status_code == 400
    assert remedy in words(answer)


def test_a_model_that_knows_nothing_is_not_to_be_believed(as_alice: Client, alice: User) -> None:
    study = make_study(alice, space=SPACE, sampler="random", started=True, n_trials=30)
    values = iter([5.0, 1.0, 4.0, 2.0, 3.0, 1.5, 4.5, 2.5, 1.2, 4.8, 3.3, 2.2])
    text = words(as_alice.get(f"/studies/{run(study, 12, lambda params: next(values)).pk}/model/"))
    assert "Do not believe these pictures yet" in text
    assert "No: the model does not know the order of the trials" in text
    assert "sampler, Random search, chooses without this model" in text
    assert "12 survey" in text


def test_too_few_trials_make_a_sentence_instead_of_a_picture(as_alice: Client, alice: User) -> None:
    study = make_study(alice, space=SPACE, started=True)
    answer = as_alice.get(f"/studies/{study.pk}/model/?x=nonsense")
    text = words(answer)
    assert "The model needs 3 complete trials with a value; none has one so far." in text
    assert "As things stand, trial 0 would be:" in text
    assert set(figures(answer.content)) == {"intents"}
    study = run(study, 3)
    assert "Too few complete trials (3) to tell how good the model is." in words(
        as_alice.get(f"/studies/{study.pk}/model/")
    )


def test_a_study_without_a_space_says_so(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    Study.objects.filter(pk=study.pk).update(space=None)
    text = words(as_alice.get(f"/studies/{study.pk}/model/"))
    assert "there is no space to model" in text
    assert "there is no next configuration to show" in text


def test_an_ended_study_says_what_would_have_come(as_alice: Client, study: Study, alice: User) -> None:
    stop_study(study_id=study.pk, actor=alice)
    text = words(as_alice.get(f"/studies/{study.pk}/model/"))
    assert "The study has ended; if it went on, trial 12 would be:" in text


def test_a_report_of_an_epoch_computes_nothing_anew(
    as_alice: Client, study: Study, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/studies/{study.pk}/model/"
    before = figures(as_alice.get(address).content)
    Study.objects.filter(pk=study.pk).update(version=study.version + 1)

    def fail(study: Study) -> None:
        raise AssertionError("the model was asked again")

    monkeypatch.setattr("tuning.web.model.study_model", fail)
    with django_assert_max_num_queries(6):  # session, user, study, the facts of the header
        assert figures(as_alice.get(address).content) == before


def test_looking_changes_nothing(as_alice: Client, study: Study) -> None:
    as_alice.get(f"/studies/{study.pk}/model/?at=next")
    assert Trial.objects.filter(study=study).count() == 12
    assert Study.objects.get(pk=study.pk).version == study.version


def test_the_table_has_the_numbers_of_the_picture(as_alice: Client, study: Study) -> None:
    answer = as_alice.get(f"/studies/{study.pk}/model/?x=layers")
    (line,) = [trace for trace in figures(answer.content)["slice"]["data"] if trace["name"] == "expected"]
    rows = re.findall(r"<tr>(.*?)</tr>", answer.content.decode().partition('id="slice-scroll"')[2])
    cells = [re.findall(r">([^<]+)</td>", row)[:2] for row in rows[1:5]]
    assert [int(value) for value, _ in cells] == line["x"] == [1, 2, 3, 4]
    assert [float(value) for _, value in cells] == pytest.approx(line["y"], rel=1e-3)


def test_without_a_trial_asked_for_links_follow_the_best(as_alice: Client, study: Study) -> None:
    for query in ("", "?at=best"):
        page = as_alice.get(f"/studies/{study.pk}/model/{query}").content.decode()
        assert 'name="at" value="" placeholder="best"' in page
        assert 'href="?x=optimizer"' in page.partition("Every parameter")[2]


def test_a_trial_leads_to_the_model_around_it(as_alice: Client, study: Study) -> None:
    trial = study.trials.get(number=9)
    page = as_alice.get(f"/trials/{trial.pk}/").content.decode()
    assert f'<a href="/studies/{study.pk}/model/?at=9">The model around it</a>' in page
    assert as_alice.get(f"/studies/{study.pk}/model/?at=9").status_code == 200


def test_choices_are_text_whatever_they_are(as_alice: Client, alice: User) -> None:
    space = {
        "w": {"type": "float", "low": 0.0, "high": 1.0},
        "c": {"type": "categorical", "choices": ["<script>", "<b>bold</b>", None, [1, 2], "x" * 300]},
    }
    study = make_study(alice, space=space, sampler="random", started=True)
    values = iter([0.3, 0.1, 0.2, 0.5, 0.4])
    run(study, 5, lambda params: next(values))
    for query in ("", "?x=c", "?x=w&y=c", "?x=c&y=w&map=promise"):
        answer = as_alice.get(f"/studies/{study.pk}/model/{query}")
        assert answer.status_code == 200
        assert b"<b>bold" not in answer.content
        drawn = json.dumps(figures(answer.content))
        assert "<b>" not in drawn
        assert "<script>" not in drawn
