"""A trial's page: its configuration against the best, its end, its log; comparing several."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study, report
from tests.selectors.test_diagnostics import TURNS, trained
from tests.web.conftest import poll, words
from tuning.models import Attempt, Study, Trial
from tuning.services.endings import complete_trial, fail_trial
from tuning.services.trials import enqueue_trial


@pytest.fixture
def study(alice: User) -> Study:
    return make_study(alice, workload="tiny", name="wide search", started=True)


def completed(study: Study, losses: list[float]) -> Trial:
    trial = make_running(study, make_slot())
    report(trial, losses)
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    trial.refresh_from_db()
    return trial


def test_the_page_has_value_curves_attempts_and_how_to_repeat_it(as_alice: Client, study: Study) -> None:
    trial = completed(study, [0.5, 0.25, 0.4])
    answer = as_alice.get(f"/trials/{trial.pk}/")
    text = words(answer)
    for part in ("Trial 0", "complete", "best so far", "0.2500", "at epoch 2", "3 of 5", "host-1", f"{trial.why}"):
        assert part in text
    again = json.loads(re.search(r'id="again">(.*?)</pre>', answer.content.decode(), re.S)[1].replace("&quot;", '"'))
    assert again["params"] == trial.params
    assert again["seed"] == trial.seed
    assert "best 0.25 at 2" in answer.content.decode()


def test_metrics_of_the_test_set_are_counted_by_name_alone(as_alice: Client, study: Study) -> None:
    trial = make_running(study, make_slot())
    assert "of the test set" not in words(as_alice.get(f"/trials/{trial.pk}/"))
    report(trial, [0.5, 0.25], test__accuracy=[0.917, 0.918], Loss__test=[0.1, 0.2])
    answer = as_alice.get(f"/trials/{trial.pk}/")
    said = "2 metrics of the test set are stored sealed: Loss/test (2 values), test/accuracy (2 values)."
    assert said in words(answer)
    assert "0.91" not in answer.content.decode()


def test_parameters_that_differ_from_the_best_are_marked(as_alice: Client, alice: User, study: Study) -> None:
    best = completed(study, [0.1])
    enqueue_trial(study_id=study.pk, actor=alice, params={**best.params, "lr": 0.0123})
    trial = completed(study, [0.9])
    text = words(as_alice.get(f"/trials/{trial.pk}/"))
    assert "queued by alice" in text
    assert re.search(r"lr set by hand 0\.0123 \S+ ≠", text)
    assert re.search(rf"optimizer set by hand {best.params['optimizer']} {best.params['optimizer']} (?!≠)", text)


def test_a_failed_trial_says_why_and_what_to_do(as_alice: Client, study: Study) -> None:
    trial = make_running(study, make_slot())
    reason = "The GPU has no room for a batch of 512; lower batch_size."
    fail_trial(
        trial_id=trial.pk,
        fence=trial.fence,
        reason_code="out_of_memory",
        reason=reason,
        traceback="Traceback: <module>",
    )
    answer = as_alice.get(f"/trials/{trial.pk}/")
    assert f"Out of memory. {reason}" in words(answer)
    assert "Traceback: &lt;module&gt;" in answer.content.decode()


def test_a_running_trial_polls_and_an_ended_one_stops(as_alice: Client, study: Study) -> None:
    trial = make_running(study, make_slot())
    report(trial, [0.5])
    address = f"/trials/{trial.pk}/"
    page = as_alice.get(address)
    assert b'hx-trigger="every 2s"' in page.content
    assert poll(as_alice, address, page["ETag"]).status_code == 304
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    answer = poll(as_alice, address, page["ETag"])
    assert answer.status_code == 286
    assert b"hx-trigger" not in answer.content


def test_the_log_s_end_is_on_the_page_and_all_of_it_on_its_own(as_alice: Client, study: Study, settings) -> None:
    trial = completed(study, [0.5])
    assert "Nothing was written" in words(as_alice.get(f"/trials/{trial.pk}/"))
    settings.ARTIFACT_DIR.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"line {n} <b>\n" for n in range(2000))
    (settings.ARTIFACT_DIR / "attempt.log").write_text(lines)
    Attempt.objects.filter(trial=trial).update(log="attempt.log")
    short, whole = as_alice.get(f"/trials/{trial.pk}/"), as_alice.get(f"/trials/{trial.pk}/log/")
    assert "line 1999 <b>" in words(short)
    assert "line 0 <b>" not in words(short)
    assert "line 0 <b>" in words(whole)
    assert b"line 0 <b>" not in whole.content


def test_a_trial_that_never_ran_has_no_log(as_alice: Client, alice: User, study: Study) -> None:
    trial = enqueue_trial(study_id=study.pk, actor=alice, params={})
    assert "has not run yet" in words(as_alice.get(f"/trials/{trial.pk}/log/"))
    assert "It waits for a free slot" in words(as_alice.get(f"/trials/{trial.pk}/"))


def test_cancelling_is_the_owner_s_and_happens_once(as_alice: Client, as_bob: Client, study: Study) -> None:
    trial = make_running(study, make_slot())
    assert as_bob.post(f"/trials/{trial.pk}/cancel/").status_code == 403
    assert "Cancel trial 0?" in words(as_alice.get(f"/trials/{trial.pk}/cancel/"))
    assert "Trial 0 is cancelled" in words(as_alice.post(f"/trials/{trial.pk}/cancel/", follow=True))
    trial.refresh_from_db()
    assert (trial.state, trial.reason_code) == ("FAILED", "cancelled")
    done = completed(study, [0.5])
    assert "had ended already" in words(as_alice.post(f"/trials/{done.pk}/cancel/", follow=True))


def test_a_private_study_s_trials_are_not_there(as_charlie: Client, study: Study) -> None:
    trial = completed(study, [0.5])
    Study.objects.filter(pk=study.pk).update(visibility="private")
    for tail in ("", "log/", "checkpoint/"):
        assert as_charlie.get(f"/trials/{trial.pk}/{tail}").status_code == 404
    assert as_charlie.post(f"/trials/{trial.pk}/cancel/").status_code == 404


def test_a_missing_checkpoint_says_so(as_alice: Client, study: Study) -> None:
    answer = as_alice.get(f"/trials/{completed(study, [0.5]).pk}/checkpoint/")
    assert answer.status_code == 404
    assert "has left no checkpoint" in words(answer)


def test_comparing_puts_configurations_side_by_side(as_alice: Client, study: Study) -> None:
    first, second = completed(study, [0.5]), completed(study, [0.25])
    answer = as_alice.get(f"/studies/{study.pk}/compare/?trial={first.pk}&trial={second.pk}")
    text = words(answer)
    assert "Compare 2 trials" in text
    assert "value 0.5000 0.2500" in text
    assert answer.content.count(b'class="is-selected"') >= 1


def test_comparing_nothing_or_strangers_is_harmless(as_alice: Client, alice: User, study: Study) -> None:
    assert "Select trials" in words(as_alice.get(f"/studies/{study.pk}/compare/"))
    other = completed(make_study(alice, started=True), [0.5])
    assert "Compare 0 trials" in words(as_alice.get(f"/studies/{study.pk}/compare/?trial={other.pk}"))
    assert as_alice.get(f"/studies/{study.pk}/compare/?trial=999999").status_code == 404
    ids = "&".join(f"trial={completed(study, [0.5]).pk}" for _ in range(9))
    assert "The first 8 are shown" in words(as_alice.get(f"/studies/{study.pk}/compare/?{ids}"))


def test_a_trial_that_failed_before_it_said_so_still_names_its_device(as_alice: Client, study: Study) -> None:
    trial = make_running(study, make_slot())
    fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="code_error", reason="KeyError: 'lr'")
    assert "Device CPU, 2 cores" in words(as_alice.get(f"/trials/{trial.pk}/"))


def test_the_parameters_follow_the_curves_and_precede_how_to_repeat_it(as_alice: Client, study: Study) -> None:
    text = words(as_alice.get(f"/trials/{completed(study, [0.5]).pk}/"))
    places = [text.index(part) for part in ("Learning curves", "Parameters", "Attempts", "Log", "To run it again")]
    assert places == sorted(places)


def test_what_its_process_found_stands_on_the_page(as_alice: Client, study: Study) -> None:
    trial = make_running(study, make_slot())
    report(trial, [0.5])
    finding = {"rule": "data-unsteady", "severity": "warning", "message": "The examples change <b>each</b> time."}
    complete_trial(trial_id=trial.pk, fence=trial.fence, facts={"findings": [finding]})
    page = as_alice.get(f"/trials/{trial.pk}/").content.decode()
    assert '<p class="message message--warning">The examples change &lt;b&gt;each&lt;/b&gt; time.</p>' in page


def test_the_verdict_stands_beside_the_curves_and_its_epoch_on_them(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True, max_resource=7)
    trial = trained(study, TURNS)
    answer = as_alice.get(f"/trials/{trial.pk}/")
    text = words(answer)
    assert "Overfit, and turning at step 3 . Validation was best at step 3" in text
    assert "Stop at step 3, or keep the checkpoint of it" in text
    figure = json.loads(re.search(r'id="curves-data"[^>]*>(.*?)</script>', answer.content.decode(), re.S)[1])
    assert next(mark["text"] for mark in figure["layout"]["annotations"] if mark["x"] == 3) == "validation turns"
    assert figure["layout"]["shapes"][0]["x0"] == 3
    early = make_running(study)
    report(early, [0.5, 0.4])
    assert "Not enough to tell so far . 2 steps are too few to tell" in words(as_alice.get(f"/trials/{early.pk}/"))
