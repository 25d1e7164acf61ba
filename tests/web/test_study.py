"""A study's tabs: page and fragment, versions, what each shows."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_running, make_slot, make_study, report
from tests.web.conftest import poll, words
from tuning.models import AuditEvent, Study, Trial
from tuning.services.endings import complete_trial, fail_trial, prune_trial
from tuning.services.lifecycle import stop_study

TABS = ("", "leaderboard/", "curves/", "model/", "activity/")


@pytest.fixture
def study(alice: User) -> Study:
    """Three complete trials (0.3, 0.1, 0.2), one pruned, one diverged, one running."""
    study = make_study(alice, workload="tiny", name="wide search", started=True, parallel=8)
    for loss in (0.3, 0.1, 0.2):
        trial = make_running(study, make_slot())
        report(trial, [loss + 0.5, loss + 0.2, loss])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    pruned = make_running(study, make_slot())
    report(pruned, [0.9])
    prune_trial(trial_id=pruned.pk, fence=pruned.fence, reason="worse than the median")
    failed = make_running(study, make_slot())
    fail_trial(trial_id=failed.pk, fence=failed.fence, reason_code="diverged", reason="loss is nan")
    report(make_running(study, make_slot()), [0.8, 0.7])
    study.refresh_from_db()
    return study


def figure(content: bytes, name: str) -> dict:
    found = re.search(rf'<script id="{name}-data" type="application/json">(.*?)</script>', content.decode(), re.S)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("tab", TABS)
def test_page_and_fragment_come_from_one_address(as_alice: Client, study: Study, tab: str) -> None:
    address = f"/studies/{study.pk}/{tab}"
    page, fragment = as_alice.get(address), poll(as_alice, address)
    assert (page.status_code, fragment.status_code) == (200, 200)
    assert b"<html" in page.content
    assert b"<html" not in fragment.content
    assert b'id="live"' in fragment.content
    assert page["ETag"] == fragment["ETag"]
    assert fragment["Cache-Control"] == "no-store"
    assert "HX-Request" in fragment["Vary"]


@pytest.mark.parametrize("tab", TABS)
def test_nothing_new_is_a_304_that_costs_three_queries(
    as_alice: Client, study: Study, tab: str, django_assert_num_queries
) -> None:
    address = f"/studies/{study.pk}/{tab}"
    tag = as_alice.get(address)["ETag"]
    with django_assert_num_queries(3):  # session, user, study
        answer = poll(as_alice, address, tag)
    assert (answer.status_code, answer.content) == (304, b"")


def test_a_new_version_is_a_new_fragment(as_alice: Client, study: Study) -> None:
    address = f"/studies/{study.pk}/"
    tag = as_alice.get(address)["ETag"]
    Study.objects.filter(pk=study.pk).update(version=study.version + 1)
    answer = poll(as_alice, address, tag)
    assert answer.status_code == 200
    assert answer["ETag"] != tag


def test_polling_ends_with_the_study(as_alice: Client, alice: User, study: Study) -> None:
    tag = as_alice.get(f"/studies/{study.pk}/")["ETag"]
    stop_study(study_id=study.pk, actor=alice)
    answer = poll(as_alice, f"/studies/{study.pk}/", tag)
    assert answer.status_code == 286
    assert b"hx-get" not in answer.content
    assert "stopped" in words(answer)


def test_a_version_is_rendered_once_for_all_viewers(
    as_bob: Client, as_charlie: Client, study: Study, django_assert_max_num_queries
) -> None:
    as_bob.get(f"/studies/{study.pk}/")
    as_charlie.get("/account/")
    with django_assert_max_num_queries(4):
        as_charlie.get(f"/studies/{study.pk}/")


def test_a_viewer_gets_no_controls_and_no_token_of_another(as_alice: Client, as_bob: Client, study: Study) -> None:
    mine, theirs = as_alice.get(f"/studies/{study.pk}/"), as_bob.get(f"/studies/{study.pk}/")
    assert "Pause" in words(mine)
    assert "Pause" not in words(theirs)
    tokens = set(re.findall(r'csrfmiddlewaretoken" value="(\w+)"', mine.content.decode()))
    assert tokens
    assert not any(token in theirs.content.decode() for token in tokens)


def test_a_private_study_is_not_there_for_others(as_bob: Client, study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(visibility="private")
    for tab in (*TABS, "setup/", "best.json"):
        answer = as_bob.get(f"/studies/{study.pk}/{tab}")
        assert answer.status_code == 404
        assert "it is private" in words(answer)


def test_the_overview_leads_with_the_numbers(as_alice: Client, study: Study) -> None:
    text = words(as_alice.get(f"/studies/{study.pk}/"))
    for part in (
        "0.1000",
        "trial 1",
        "5 of 10",
        "1 pruned",
        "1 failed",
        "of 50",
        "1 of 5 trials diverged",
        "trial 5 2 of 5",
    ):
        assert part in text


def test_the_history_has_every_state(as_alice: Client, study: Study) -> None:
    drawn = figure(as_alice.get(f"/studies/{study.pk}/").content, "history")
    by_name = {trace["name"]: trace for trace in drawn["data"]}
    assert by_name["complete"]["x"] == [0, 1, 2]
    assert by_name["pruned"]["x"] == [3]
    assert by_name["failed"]["x"] == [4]
    assert by_name["not finished"]["x"] == [5]
    assert by_name["best so far"]["y"] == [0.3, 0.1, 0.1]


def test_the_history_can_have_a_logarithmic_axis(as_alice: Client, study: Study) -> None:
    page = as_alice.get(f"/studies/{study.pk}/?axis=log")
    assert figure(page.content, "history")["layout"]["yaxis"]["type"] == "log"
    assert "Linear axis" in words(page)


def test_every_chart_has_its_table(as_alice: Client, study: Study) -> None:
    text = words(as_alice.get(f"/studies/{study.pk}/"))
    assert "Trial loss State 0 0.3000 complete 1 0.1000 complete" in text
    assert "Epoch 1 train 1 validation" in text


def test_the_leaderboard_is_best_first_with_ranks_for_complete_trials(as_alice: Client, study: Study) -> None:
    text = words(as_alice.get(f"/studies/{study.pk}/leaderboard/"))
    table = text.partition("Best so far")[2].partition("State Change lr")[2]
    order = [int(number) for number in re.findall(r"trial (\d)", table)]
    assert order == [1, 2, 0, 5, 3, 4]
    assert re.search(r"1 trial 1 0\.1000 complete .*2 trial 2 0\.2000 complete .*3 trial 0 0\.3000 complete", text)


def test_the_leaderboard_turns_round_for_maximising(as_alice: Client, alice: User) -> None:
    study = make_study(alice, direction="maximize", started=True)
    for value in (0.3, 0.9):
        trial = make_running(study)
        report(trial, [value])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    text = words(as_alice.get(f"/studies/{study.pk}/leaderboard/"))
    assert text.index("trial 1 0.9000") < text.index("trial 0 0.3000")


def test_the_leaderboard_can_be_narrowed_and_turned(as_alice: Client, study: Study) -> None:
    failed = words(as_alice.get(f"/studies/{study.pk}/leaderboard/?state=failed")).partition("State Change lr")[2]
    assert "trial 4" in failed
    assert "trial 1" not in failed
    assert "No trial is waiting" in words(as_alice.get(f"/studies/{study.pk}/leaderboard/?state=waiting"))
    newest = words(as_alice.get(f"/studies/{study.pk}/leaderboard/?order=-number")).partition("State Change lr")[2]
    assert newest.index("trial 5") < newest.index("trial 0")


def test_a_wrong_order_or_cursor_is_refused_with_the_remedy(as_alice: Client, study: Study) -> None:
    order = as_alice.get(f"/studies/{study.pk}/leaderboard/?order=colour")
    assert order.status_code == 400
    assert "choose one of" in words(order)
    assert as_alice.get(f"/studies/{study.pk}/leaderboard/?cursor=bogus").status_code == 400


def test_long_leaderboards_go_on_where_the_page_ended(as_alice: Client, alice: User) -> None:
    study = make_study(alice, n_trials=100)
    Trial.objects.bulk_create(
        Trial(study=study, number=n, state="COMPLETE", value=float(n), params={"lr": 0.1}) for n in range(60)
    )
    first = as_alice.get(f"/studies/{study.pk}/leaderboard/")
    link = re.search(r'href="(\?[^"]*cursor=[^"]*)"', first.content.decode())
    assert link is not None
    second = words(as_alice.get(f"/studies/{study.pk}/leaderboard/{link[1].replace('&amp;', '&')}"))
    assert re.search(r"51 trial 50 50\.00", second)
    assert "trial 49 " not in second


def test_the_leaderboard_costs_the_same_for_one_trial_as_for_many(
    as_alice: Client, alice: User, django_assert_max_num_queries
) -> None:
    study = make_study(alice, n_trials=100)
    Trial.objects.bulk_create(
        Trial(study=study, number=n, state="COMPLETE", value=float(n), params={"lr": 0.1}) for n in range(50)
    )
    as_alice.get("/account/")
    with django_assert_max_num_queries(10):
        as_alice.get(f"/studies/{study.pk}/leaderboard/")


def test_curves_of_another_metric_can_be_chosen(as_alice: Client, alice: User) -> None:
    study = make_study(alice, started=True)
    trial = make_running(study)
    report(trial, [0.5, 0.4], validation__accuracy=[0.8, 0.9])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    page = as_alice.get(f"/studies/{study.pk}/curves/?metric=validation/accuracy&top=10")
    assert [trace["y"] for trace in figure(page.content, "curves")["data"]] == [[0.8, 0.9]]
    fallback = as_alice.get(f"/studies/{study.pk}/curves/?metric=nonsense&top=x")
    assert figure(fallback.content, "curves")["data"][-1]["y"] == [0.5, 0.4]


def test_activity_tells_who_did_what(as_alice: Client, study: Study) -> None:
    text = words(as_alice.get(f"/studies/{study.pk}/activity/"))
    assert "alice started wide search" in text
    assert "alice created wide search" in text


def test_a_fresh_study_says_what_will_come(as_alice: Client, alice: User) -> None:
    study = make_study(alice)
    text = words(as_alice.get(f"/studies/{study.pk}/"))
    for part in ("ready", "Start", "no trial is complete yet", "Nothing yet: the study has not been started"):
        assert part in text
    drawn = figure(as_alice.get(f"/studies/{study.pk}/").content, "curves")
    assert drawn["layout"]["annotations"][0]["text"] == "no trial has reported a curve yet"
    assert drawn["layout"]["yaxis"] == {"visible": False}


def test_activity_of_a_study_whose_events_have_nothing_before_them(as_alice: Client, study: Study) -> None:
    AuditEvent.objects.create(
        actor_name="alice", verb="changed", object_kind="study", object_id=study.pk, after={"parallel": 3}
    )
    answer = as_alice.get(f"/studies/{study.pk}/activity/")
    assert answer.status_code == 200
    assert "parallel 3" in words(answer)


def test_while_no_trial_is_complete_the_running_ones_draw_their_curves(as_alice: Client, alice: User) -> None:
    study = make_study(alice, workload="tiny", started=True)
    report(make_running(study, make_slot()), [0.8, 0.7])
    answer = as_alice.get(f"/studies/{study.pk}/")
    assert [trace["name"] for trace in figure(answer.content, "curves")["data"]] == [
        "trial 0, training",
        "trial 0, validation",
    ]
    assert "loss, running 1:" in words(answer)
    assert "No trial is complete yet. Show all 1" in words(answer)


def test_where_every_trial_has_failed_their_curves_are_still_there(as_alice: Client, alice: User) -> None:
    study = make_study(alice, workload="tiny", started=True)
    failed = make_running(study, make_slot())
    report(failed, [0.8, 0.7])
    fail_trial(trial_id=failed.pk, fence=failed.fence, reason_code="diverged", reason="loss is nan")
    answer = as_alice.get(f"/studies/{study.pk}/")
    assert "loss, first 1:" in words(answer)
    assert "No trial yet" not in words(answer)


def test_team_mates_may_take_the_best_with_them_but_steer_nothing(as_bob: Client, study: Study) -> None:
    page = as_bob.get(f"/studies/{study.pk}/")
    assert "Configuration, YAML" in words(page)
    assert b"/pause/" not in page.content and b"/stop/" not in page.content
    assert as_bob.get(f"/studies/{study.pk}/best.json").status_code == 200


def test_scripts_count_steps_and_loops_count_epochs(as_alice: Client, alice: User, study: Study) -> None:
    script = make_study(alice, started=True)
    trial = make_running(script)
    report(trial, [0.5])
    assert "Steps 1 of 50" in words(as_alice.get(f"/studies/{script.pk}/"))
    assert "at step 1" in words(as_alice.get(f"/trials/{trial.pk}/"))
    assert "Epochs 12 of 50" in words(as_alice.get(f"/studies/{study.pk}/"))


def test_notes_are_for_everybody_who_may_look(as_bob: Client, alice: User) -> None:
    study = make_study(alice, description="Try <b>wider</b> nets")
    assert "Try &lt;b&gt;wider&lt;/b&gt; nets" in as_bob.get(f"/studies/{study.pk}/setup/").content.decode()


def test_the_setup_says_how_far_the_test_set_is_sealed(as_alice: Client, alice: User, study: Study) -> None:
    assert "Test set sealed The test split is opened by a process of its own" in words(
        as_alice.get(f"/studies/{study.pk}/setup/")
    )
    script = make_study(alice, started=True)
    address = f"/studies/{script.pk}/setup/"
    assert "Test set none is known No test set is known" in words(as_alice.get(address))
    report(make_running(script), [0.5], test__accuracy=[0.918273])
    answer = as_alice.get(address)
    assert "sealed as far as it is reported What trials report of the test set (test/accuracy)" in words(answer)
    assert "918273" not in answer.content.decode()
