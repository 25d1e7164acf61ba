"""tuning.client against a live server with a real study, and against a server that breaks in every way."""

import contextlib
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import SPACE, make_slot, make_study, make_workload
from tests.services.final import finished
from tests.services.test_lr_ranges import answered
from tests.services.test_trying import OWN, overfitted
from tuning import client as client_module
from tuning.client import (
    Client,
    Conflict,
    ConnectionFailed,
    Forbidden,
    HpwebError,
    InvalidInput,
    LeaseLost,
    NotFound,
    ServerFault,
    Study,
    TooManyRequests,
    Trial,
    TrialPruned,
    Unauthorized,
    backoff,
    fits,
)
from tuning.models import Job, Split
from tuning.models import Trial as TrialRow
from tuning.selectors.curves import trial_curves
from tuning.services.importance import look_at_next
from tuning.services.jobs import request_describe
from tuning.services.lifecycle import pause_study, stop_study
from tuning.services.tokens import create_token

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(live_server: Any, alice: Any) -> Client:
    """Alice's script."""
    return Client(live_server.url, create_token(user=alice, name="script")[1])


@pytest.fixture
def bobs_client(live_server: Any, bob: Any) -> Client:
    return Client(live_server.url, create_token(user=bob, name="script")[1])


@pytest.fixture
def study(client: Client) -> Study:
    """A running study of eight trials."""
    made = client.create_study("net", space=SPACE, metric="validation/loss", n_trials=8, seed=3, parallel=2)
    return made.start()


# --- a study from its creation to its best ------------------------------------------------------------------
def loss_of(trial: Trial) -> float:
    lr = trial.suggest_float("lr", 1e-5, 0.1, log=True)
    penalty = 0.1 if trial.suggest_categorical("optimizer", ["sgd", "adamw"]) == "sgd" else 0.0
    return (math.log10(lr) + 3) ** 2 + penalty


def test_optimize_runs_the_study_to_its_end(study: Study):
    def objective(trial: Trial) -> float:
        loss = loss_of(trial)
        for step in (1, 2):
            trial.report({"validation/loss": loss + 1 / step, "train/loss": loss}, step)
        return loss

    trials = study.optimize(objective)
    assert len(trials) == 8
    assert study.refresh().state == "FINISHED"
    best = min(trials, key=lambda trial: trial.value or 0.0)
    found = study.best()
    assert (found["trial"], found["value"], found["params"]) == (best.number, best.value, best.params)
    assert [row["value"] for row in study.leaderboard(3)] == sorted(trial.value for trial in trials)[:3]
    assert [row["number"] for row in study.trials()] == list(range(8))
    assert trial_curves(TrialRow.objects.get(pk=best.id))["validation/loss"].steps == [1, 2]


def test_what_is_reported_of_the_test_set_is_sealed_and_the_study_says_so(study: Study):
    assert study.seal["state"] == "none"
    (trial,) = study.ask()
    assert trial.report({"validation/loss": 0.5, "test/accuracy": 0.918273}, 1) == "continue"
    seal = study.refresh().seal
    assert (seal["state"], seal["metrics"]) == ("declared", ["test/accuracy"])
    assert "918273" not in json.dumps(list(study.trials()))


@pytest.mark.parametrize(("kind", "options"), [("asha", {"type": "promotion"}), ("successive_halving", {})])
def test_a_trial_that_pauses_at_a_rung_comes_again_and_goes_on(client: Client, kind: str, options: dict[str, Any]):
    study = client.create_study(
        "halved", space=SPACE, metric="validation/loss", n_trials=9, seed=3, parallel=2, scheduler=kind,
        scheduler_options=options, max_resource=9, sampler="random",
    ).start()  # fmt: skip
    kept: dict[int, int] = {}  # what a script keeps as its checkpoint: the step that it came to
    came: list[tuple[int, int, int | None]] = []

    def objective(trial: Trial) -> None:
        assert trial.resume_step == kept.get(trial.number, 0)
        came.append((trial.number, trial.resume_step, trial.resource))
        for step in range(trial.resume_step + 1, (trial.resource or 0) + 1):
            kept[trial.number] = step
            if trial.report(loss_of(trial) + 1 / step, step) != "continue":
                return

    study.optimize(objective, poll=0.01)
    assert study.refresh().state == "FINISHED"
    assert {resume: resource for _, resume, resource in came} == {0: 1, 1: 3, 3: 9}
    states = [row["state"] for row in study.trials()]
    assert (states.count("COMPLETE"), states.count("PRUNED")) == (1, 8)
    (best,) = study.trials(state="COMPLETE")
    assert trial_curves(TrialRow.objects.get(pk=best["id"]))["validation/loss"].steps == list(range(1, 10))


def test_a_trial_that_asha_stops_is_told_so_and_others_run_to_their_end(client: Client):
    study = client.create_study(
        "stopped", space=SPACE, metric="validation/loss", n_trials=9, seed=3, scheduler="asha",
        scheduler_options={"type": "stopping"}, max_resource=9, sampler="random",
    ).start()  # fmt: skip
    seen: list[int | None] = []

    def objective(trial: Trial) -> None:
        seen.append(trial.resource)
        for step in range(1, (trial.resource or 0) + 1):
            trial.report(loss_of(trial) + 1 / step, step)
            if trial.should_prune():
                raise TrialPruned

    study.optimize(objective, poll=0.01)
    assert set(seen) == {9}  # nobody stands at a rung to wait
    assert study.refresh().state == "FINISHED"
    assert {row["state"] for row in study.trials()} == {"COMPLETE", "PRUNED"}


def test_optimize_runs_no_more_than_it_is_asked_to(study: Study):
    assert len(study.optimize(loss_of, n_trials=3)) == 3
    assert study.refresh().state == "RUNNING"
    assert [row["state"] for row in study.trials()] == ["COMPLETE"] * 3


def test_optimize_takes_the_reported_metric_where_the_objective_returns_none(study: Study):
    def objective(trial: Trial) -> None:
        for step, loss in enumerate((0.5, 0.25, 0.4), start=1):
            trial.report(loss, step)

    (trial,) = study.optimize(objective, n_trials=1)
    assert (trial.state, trial.value) == ("COMPLETE", 0.25)


def test_an_objective_that_prunes_itself_is_told_as_pruned(study: Study):
    def objective(trial: Trial) -> float:
        trial.report(5.0, 1)
        raise TrialPruned

    (trial,) = study.optimize(objective, n_trials=1)
    assert trial.state == "PRUNED"
    assert TrialRow.objects.get(pk=trial.id).reason == "pruned at step 1"


def test_an_error_of_the_objective_fails_the_trial_and_is_raised(study: Study):
    def objective(trial: Trial) -> float:
        raise KeyError("x")

    with pytest.raises(KeyError):
        study.optimize(objective)
    (row,) = study.trials()
    assert (row["state"], row["reason_code"], row["reason"]) == ("FAILED", "code_error", "KeyError: 'x'")


def test_errors_that_are_caught_leave_the_loop_running(study: Study):
    def objective(trial: Trial) -> float:
        if trial.number % 2:
            raise ValueError(trial.number)
        return 1.0

    assert len(study.optimize(objective, catch=(ValueError,))) == 8
    assert [row["state"] for row in study.trials()] == ["COMPLETE", "FAILED"] * 4


def test_running_out_of_memory_is_told_with_its_own_reason(study: Study):
    def objective(trial: Trial) -> float:
        raise MemoryError

    with pytest.raises(MemoryError):
        study.optimize(objective)
    assert [row["reason_code"] for row in study.trials()] == ["out_of_memory"]


def test_a_value_that_is_not_finite_fails_the_trial_as_diverged(study: Study):
    (trial,) = study.optimize(lambda trial: math.nan, n_trials=1)
    assert (trial.state, trial.value) == ("FAILED", "nan")
    assert TrialRow.objects.get(pk=trial.id).reason_code == "diverged"


def test_optimize_needs_a_started_study(client: Client):
    study = client.create_study("net", space=SPACE, n_trials=2)
    with pytest.raises(Conflict, match="ready"):
        study.optimize(loss_of)


def test_optimize_ends_when_a_person_stops_the_study(study: Study, alice: Any):
    def objective(trial: Trial) -> float:
        stop_study(study_id=study.id, actor=alice)
        trial.report(0.5, 1)
        raise AssertionError("the report is refused")

    assert study.optimize(objective) == []
    assert study.state == "STOPPED"
    assert [row["reason_code"] for row in study.trials()] == ["cancelled"]


def test_optimize_waits_while_the_study_is_paused(study: Study, alice: Any, monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        study.resume()

    monkeypatch.setattr(client_module.time, "sleep", sleep)
    pause_study(study_id=study.id, actor=alice)
    assert len(study.optimize(loss_of, n_trials=1, poll=0.5)) == 1
    assert pauses == [0.5]


# --- asking and telling by hand -----------------------------------------------------------------------------
def test_ask_report_and_tell(study: Study):
    first, second = study.ask(5)  # two run at once
    assert study.ask() == []
    assert first.report(0.5, 1) == "continue"
    assert not first.should_prune()
    assert first.tell(0.25).state == "COMPLETE"
    assert first.tell(0.25).state == "COMPLETE"
    with pytest.raises(Conflict, match=r"0\.25"):
        first.tell(0.5)
    second.tell(state="failed", reason="deadline")
    assert [row["reason_code"] for row in study.trials(state="FAILED")] == ["deadline"]


def test_enqueued_parameters_come_first(study: Study):
    study.enqueue({"lr": 0.01, "optimizer": "adamw"})
    (trial,) = study.ask()
    assert trial.params == {"lr": 0.01, "optimizer": "adamw"}


def test_suggestions_are_the_studys_own_or_drawn_by_the_server(study: Study):
    (trial,) = study.ask()
    assert trial.suggest_float("lr", 1e-5, 0.1, log=True) == trial.params["lr"]
    units = trial.suggest_int("units", 16, 512, log=True)
    assert 16 <= units <= 512
    assert trial.suggest_int("units", 16, 512, log=True) == units
    assert trial.suggest_float("drop", 0.0, 0.5, step=0.25) in (0.0, 0.25, 0.5)
    assert trial.suggest_int("depth", 2, 8, step=3) in (2, 5, 8)
    assert trial.suggest_categorical("flag", [True, False]) in (True, False)
    assert TrialRow.objects.get(pk=trial.id).params == trial.params


def test_a_suggestion_outside_of_the_studys_range_is_refused_in_words(study: Study):
    (trial,) = study.ask()
    with pytest.raises(InvalidInput) as caught:
        trial.suggest_float("lr", 1.0, 2.0)
    assert "lr" in caught.value.errors[0]["field"]


def test_constraints_are_sent_with_tell(study: Study):
    (trial,) = study.ask()
    trial.set_constraint("memory", 2.0)
    assert trial.tell(0.5).state == "PRUNED"
    assert TrialRow.objects.get(pk=trial.id).infeasible


def test_numbers_of_other_libraries_are_sent_as_numbers(study: Study):
    (trial,) = study.ask()
    trial.report({"validation/loss": np.float32(0.5), "bad": np.float64("nan")}, np.int64(1))
    curves = trial_curves(TrialRow.objects.get(pk=trial.id))
    assert curves["validation/loss"].values == [0.5]
    assert math.isnan(curves["bad"].values[0])
    study.enqueue({"lr": np.float64(0.01)})
    assert trial.tell(np.float32(0.5)).value == 0.5


# --- the lease ----------------------------------------------------------------------------------------------
def wait_for(condition: Any, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_keep_alive_renews_the_lease_while_its_block_runs(client: Client, study: Study, settings: Any):
    (trial,) = study.ask()
    trial.lease_seconds = 0.15
    before = TrialRow.objects.get(pk=trial.id).lease_until
    with trial.keep_alive():
        assert wait_for(lambda: TrialRow.objects.get(pk=trial.id).lease_until > before)
    assert not [thread for thread in threading.enumerate() if thread.name == f"hpweb trial {trial.number}"]


def test_a_trial_that_was_taken_back_says_so(study: Study, alice: Any):
    (trial,) = study.ask()
    trial.lease_seconds = 0.15
    with trial.keep_alive():
        pause_study(study_id=study.id, actor=alice)
        assert wait_for(trial.should_prune)
    with pytest.raises(LeaseLost):
        trial.report(0.5, 1)
    with pytest.raises(LeaseLost):
        trial.heartbeat()
    with pytest.raises(LeaseLost):
        trial.tell(0.5)


def test_a_report_notes_the_loss_too(study: Study, alice: Any):
    (trial,) = study.ask()
    stop_study(study_id=study.id, actor=alice)
    assert not trial.should_prune()
    with pytest.raises(LeaseLost):
        trial.report(0.5, 1)
    assert trial.should_prune()


@pytest.mark.parametrize(
    ("decision", "last_step", "ended", "state"),
    [("stop", 2, True, "PRUNED"), ("stop", 5, True, "COMPLETE"), ("pause", 2, False, "RUNNING")],
)
def test_an_early_end_is_told_as_what_it_is(client: Client, decision: str, last_step: int, ended: bool, state: str):
    study = client.create_study("net", space=SPACE, metric="loss", n_trials=2, max_resource=5).start()
    (trial,) = study.ask()
    for step in range(1, last_step + 1):
        trial.report(1.0 / step, step)
    trial.decision = decision
    assert trial.should_prune()
    assert trial.end_early() is ended
    assert TrialRow.objects.get(pk=trial.id).state == state


# --- studies ------------------------------------------------------------------------------------------------
def test_a_study_is_found_listed_changed_and_deleted(client: Client, study: Study):
    again = client.study(study.id)
    assert (again.name, again.direction, again.metric) == ("net", "minimize", "validation/loss")
    assert [row["name"] for row in client.studies(state="RUNNING")] == ["net"]
    assert study.update(n_trials=20, description="more").document["n_trials"] == 20
    assert [study.pause().state, study.resume().state, study.stop().state] == ["PAUSED", "RUNNING", "STOPPED"]
    study.delete()
    with pytest.raises(NotFound):
        client.study(study.id)


def test_the_test_set_is_looked_at_from_a_script(client: Client, bobs_client: Client, study: Study):
    (trial,) = study.ask()
    trial.report({"validation/loss": 0.5, "test/loss": 0.625}, 1)
    trial.tell()
    with pytest.raises(Conflict, match="Pause or stop the study"):
        study.finalise()
    study.stop()
    with pytest.raises(Forbidden):
        bobs_client.study(study.id).finalise()
    assert (study.final_standing()["state"], study.reveals()) == ("none", [])
    assert study.finalise(trial.number)["state"] == "revealed"
    with pytest.raises(InvalidInput, match="reason"):
        study.finalise()
    assert study.finalise(reason="a reviewer asked")["looks"] == 2
    again, first = bobs_client.study(study.id).reveals()
    assert [score["mean"] for score in first["scores"]] == [0.625]
    assert (first["choice"]["reason"], again["choice"]["reason"]) == ("", "a reviewer asked")


def test_a_choice_that_is_trained_waits_for_a_worker(client: Client, alice: Any):
    study = client.study(finished(alice).pk)
    sealed = study.finalise(0, seeds=2, retrain="train+validation")
    assert sealed["state"] == study.final_standing()["state"] == "waits"
    choice = sealed["choice"]
    assert (choice["trial"], len(choice["seeds"]), choice["retrain"]) == (0, 2, "train+validation")
    assert study.reveals() == []


def test_a_study_leaves_the_list_and_comes_back(client: Client, study: Study):
    study.stop()
    assert study.archive().document["archived"]
    assert (list(client.studies()), [row["id"] for row in client.studies(archived=True)]) == ([], [study.id])
    assert study.unarchive().document["archived"] is None
    assert [row["id"] for row in client.studies()] == [study.id]


def test_what_is_at_work_is_changed_from_a_script(client: Client, study: Study):
    study.start()
    best, worse = study.ask(2)
    best.tell(0.1)
    worse.tell(state="failed", reason="code_error")
    retry = client.retry_trial(worse.id)
    assert (retry["clone_of"], retry["number"]) == (worse.id, 2)
    assert client.retry_trial(worse.id) == retry
    assert client.cancel_trial(retry["id"])["reason_code"] == "cancelled"
    assert client.exclude_trial(best.id, "wrong data")["excluded"]["reason"] == "wrong data"
    assert study.leaderboard() == []
    assert client.include_trial(best.id)["excluded"] is None
    total = study.document["n_trials"]
    assert study.extend(total + 5).document["n_trials"] == total + 5
    assert study.extend(parallel=3).document["parallel"] == 3
    with pytest.raises(InvalidInput, match="or stop the study"):
        study.extend(1)
    clone = study.clone("another", n_trials=7)
    assert (clone.document["clone_of"], clone.document["n_trials"], clone.state) == (study.id, 7, "READY")
    assert study.clone("another", n_trials=7).id == clone.id
    space = {**study.document["space"], "depth": {"type": "int", "low": 1, "high": 3}}
    answer = study.change_ranges(space, assumed={"depth": 2}, reason="deeper")
    assert answer["fit"]["n_fitting"] == 2, "the complete one, and the one that failed for its configuration"
    assert [row["number"] for row in study.spaces()] == [2, 1]
    assert (study.document["space_version"], list(study.document["space"])[-1]) == (2, "depth")


def test_an_administrator_drains_a_host_from_a_script(client: Client, admin: Any, live_server: Any):
    make_slot()
    staff = Client(live_server.url, create_token(user=admin, name="test")[1])
    (host,) = staff.workers()
    assert staff.drain_host(host["id"], now=True)["evacuating"] is True
    with pytest.raises(Forbidden, match="administrators"):
        client.undrain_host(host["id"])
    assert staff.undrain_host(host["id"])["draining"] is False


def test_a_job_is_seen_and_ended_from_a_script(client: Client, alice: Any):
    job = request_describe(actor=alice)
    assert [row["kind"] for row in client.jobs()] == ["describe"]
    assert client.cancel_job(job.pk)["error"] == client.cancel_job(job.pk)["error"] == "Cancelled by alice."


def test_learning_rates_are_tested_from_a_script(client: Client, alice: Any):
    make_workload("tiny")
    waiting = client.find_learning_rate("tiny", {"momentum": 0.9}, steps=50, wait=0)
    assert (waiting["state"], waiting["steps"], waiting["curves"]) == ("WAITING", 50, [])
    assert Job.objects.get().args["curves"][0]["params"]["momentum"] == 0.9
    client.cancel_job(waiting["id"])
    assert client.learning_rate_test(waiting["id"])["error"] == "Cancelled by alice."
    done = answered(alice)
    assert client.learning_rate_test(done.pk)["curves"][0]["bracket"] == [0.004, 0.02]
    with pytest.raises(InvalidInput, match="batch_size"):
        client.find_learning_rate("tiny", overlay={"batch_size": [16, 64]})
    with pytest.raises(NotFound):
        client.find_learning_rate("none/such")


def test_a_device_is_reserved_and_given_back_from_a_script(client: Client):
    make_slot()
    device = client.workers()[0]["devices"][0]
    assert device["reservation"] is None
    until = datetime.now(UTC) + timedelta(hours=2)
    host = client.reserve_device(device["id"], "a demonstration", until=until)
    reservation = host["devices"][0]["reservation"]
    assert (reservation["person"], datetime.fromisoformat(reservation["until"])) == ("alice", until)
    client.reserve_device(device["id"], "longer", hours=3)
    with pytest.raises(InvalidInput, match="hours"):
        client.reserve_device(device["id"], "for ever", hours=10**6)
    assert client.release_device(device["id"])["devices"][0]["reservation"] is None


def test_an_administrator_sets_a_cap_from_a_script(client: Client, admin: Any, live_server: Any):
    staff = Client(live_server.url, create_token(user=admin, name="test")[1])
    alice_id = next(row["id"] for row in client.people() if row["username"] == "alice")
    assert staff.set_cap(alice_id, 2)["cap"] == 2
    with pytest.raises(Forbidden, match="administrators"):
        client.set_cap(alice_id, 5)
    assert staff.set_cap(alice_id, None)["cap"] is None


def test_a_trial_that_misses_its_deadline_is_left_and_the_loop_goes_on(client: Client, study: Study):
    """The first trial's objective takes longer than its time, the others do not."""
    study.update(trial_seconds=60)

    def objective(trial: Trial) -> float:
        assert trial.deadline is not None
        if trial.number == 0:
            TrialRow.objects.filter(pk=trial.id).update(deadline="2020-01-01T00:00:00Z")
        trial.report({"validation/loss": 0.5}, 1)
        return 0.5

    assert [trial.number for trial in study.optimize(objective, n_trials=2)] == [1, 2]
    (failed,) = study.trials(state="FAILED")
    assert (failed["number"], failed["reason_code"]) == (0, "deadline")


def test_lists_are_read_through_all_their_pages(client: Client, alice: Any):
    for _ in range(53):
        make_study(alice)
    assert len({row["id"] for row in client.studies()}) == 53


def test_a_study_learns_from_an_earlier_one(client: Client, study: Study):
    study.optimize(loss_of)
    later = client.create_study(
        "later",
        space=SPACE,
        metric="validation/loss",
        n_trials=2,
        warm_start=[{"study": study.id, "assumed": {}}],
    )
    (source,) = later.document["warm_start"]
    assert (source["study"], source["n_finished"], source["n_used"]) == (study.id, 8, 8)
    with pytest.raises(InvalidInput, match=r"warm_start\.0\.study: There is no study 999"):
        client.create_study("none", space=SPACE, n_trials=2, warm_start=[{"study": 999}])


def test_a_maximizing_study(client: Client):
    study = client.create_study("up", space=SPACE, metric="accuracy", direction="maximize", n_trials=3).start()
    study.optimize(lambda trial: float(trial.number))
    assert study.best()["value"] == 2.0


# --- refusals -----------------------------------------------------------------------------------------------
def test_a_refusal_carries_the_servers_words(client: Client):
    with pytest.raises(InvalidInput) as caught:
        client.create_study("bad", space={"lr": {"type": "float", "low": 0, "high": 1, "log": True}}, n_trials=2)
    assert caught.value.status == 400
    assert caught.value.errors[0]["field"] == "space.lr.low"
    assert caught.value.errors[0]["message"] in str(caught.value)


def test_refusals_have_kinds(client: Client, bobs_client: Client, study: Study, live_server: Any):
    with pytest.raises(Forbidden, match="alice"):
        bobs_client.study(study.id).ask()
    with pytest.raises(NotFound):
        client.study(study.id + 100)
    with pytest.raises(Unauthorized):
        Client(live_server.url, "hp_wrong").study(study.id)
    with pytest.raises(NotFound, match="complete"):
        study.best()


def test_an_address_or_token_that_cannot_be_one_is_refused_at_once():
    for url in ("localhost:8000", "ftp://host", "file:///etc/passwd", "http://"):
        with pytest.raises(ValueError, match="http://host:8000"):
            Client(url, "hp_x")
    for token in ("", "hp x", "hp_x\n", "hp_é"):
        with pytest.raises(ValueError, match="hp_"):
            Client("http://127.0.0.1:8000", token)


# --- a server that breaks -----------------------------------------------------------------------------------
class Broken:
    """A server that answers each request with the next of `answers`; "drop" closes the connection without a word."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.requests: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                outer.requests.append((self.command, self.path))
                answer = outer.answers.pop(0)
                if answer == "drop":
                    self.connection.close()
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # a client that has timed out
                    self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_arguments: Any) -> None:
                """Nothing on stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


OK = (200, {}, json.dumps({"results": [{"name": "tiny"}], "trials": []}).encode())
BUSY = (503, {}, b"<html>busy</html>")


@pytest.fixture
def broken() -> Iterator[Broken]:
    server = Broken()
    yield server
    server.close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the client makes, without making them."""
    made: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", made.append)
    return made


def test_a_broken_connection_is_tried_again_with_growing_pauses(broken: Broken, waits: list[float]):
    broken.answers = ["drop", BUSY, "drop", OK]
    assert Client(broken.url, "hp_x").workloads() == [{"name": "tiny"}]
    assert len(broken.requests) == 4
    assert len(waits) == 3
    assert 0.125 <= waits[0] <= 0.25
    assert 0.5 <= waits[2] <= 1.0


def test_what_must_not_run_twice_is_not_sent_twice(broken: Broken, waits: list[float]):
    for answer in ("drop", BUSY):
        broken.answers, broken.requests = [answer, OK], []
        with pytest.raises((ConnectionFailed, ServerFault)):
            Study(Client(broken.url, "hp_x"), {"id": 1}).ask()
        assert broken.requests == [("POST", "/api/v1/studies/1/ask/")]
    assert waits == []


def test_a_call_that_never_arrived_is_repeated_whatever_it_is(broken: Broken, waits: list[float]):
    broken.close()
    with pytest.raises(ConnectionFailed, match="ask"):
        Study(Client(broken.url, "hp_x", retries=2), {"id": 1}).ask()
    assert len(waits) == 2


def test_the_retries_end(broken: Broken, waits: list[float]):
    broken.answers = ["drop"] * 3
    with pytest.raises(ConnectionFailed, match=broken.url):
        Client(broken.url, "hp_x", retries=2).workloads()
    assert len(broken.requests) == 3


def test_too_many_requests_wait_as_long_as_the_server_says(broken: Broken, waits: list[float]):
    broken.answers = [(429, {"Retry-After": "7"}, b"{}"), OK]
    Study(Client(broken.url, "hp_x"), {"id": 1}).ask()
    assert waits == [7.0]
    broken.answers = [(429, {"Retry-After": "100000"}, b'{"detail": "slow down"}')] * 2
    with pytest.raises(TooManyRequests, match="slow down"):
        Client(broken.url, "hp_x", retries=1).workloads()
    assert waits[1:] == [60.0]


def test_a_redirect_does_not_carry_the_token_away(broken: Broken, waits: list[float]):
    broken.answers = [(301, {"Location": "http://elsewhere.invalid/api/v1/workloads/"}, b"")]
    with pytest.raises(HpwebError, match=r"elsewhere\.invalid"):
        Client(broken.url, "hp_x").workloads()
    assert len(broken.requests) == 1


def test_an_answer_that_is_not_hpwebs_is_said_to_be_so(broken: Broken, waits: list[float]):
    broken.answers = [(200, {}, b"<html>hello</html>")]
    with pytest.raises(HpwebError, match="is hpweb running there"):
        Client(broken.url, "hp_x").workloads()
    broken.answers = [(500, {}, b"<html>oops</html>")]
    with pytest.raises(ServerFault, match="without an explanation"):
        Client(broken.url, "hp_x").workloads()


def test_a_server_that_does_not_answer_times_out(broken: Broken, waits: list[float]):
    silent = threading.Event()
    broken.answers = [OK]
    original = broken.answers.pop

    class Slow(list[Any]):
        def pop(self, index: Any = 0) -> Any:
            silent.wait(10)
            return original(index)

    broken.answers = Slow()
    try:
        with pytest.raises(ConnectionFailed, match="timed out"):
            Client(broken.url, "hp_x", timeout=0.2, retries=0).workloads()
    finally:
        silent.set()


def test_a_heartbeat_that_fails_warns_and_is_tried_again(broken: Broken):
    broken.answers = [(500, {}, b"{}"), (204, {}, b""), *[(204, {}, b"")] * 50]
    asked = {"id": 7, "number": 0, "params": {}, "resource": None, "resume_step": 0, "seed": 1, "why": ""}
    study = Study(Client(broken.url, "hp_x", retries=0), {"id": 1})
    trial = Trial(study, {**asked, "lease": "secret", "lease_seconds": 0.3})
    with pytest.warns(RuntimeWarning, match="heartbeat of trial 0"), trial.keep_alive():
        assert wait_for(lambda: len(broken.requests) >= 2)
    assert not trial.should_prune()
    assert set(broken.requests) == {("POST", "/api/v1/trials/7/heartbeat/")}


# --- pure parts ---------------------------------------------------------------------------------------------
def test_pauses_double_and_are_bounded():
    assert all(0.125 <= backoff(0) <= 0.25 for _ in range(20))
    assert all(4.0 <= backoff(20) <= 8.0 for _ in range(20))


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ({"type": "float", "low": 0.0, "high": 1.0}, 1.0, True),
        ({"type": "float", "low": 0.0, "high": 1.0}, 1.1, False),
        ({"type": "float", "low": 0.0, "high": 1.0}, True, False),
        ({"type": "float", "low": 0.0, "high": 1.0, "step": 0.1}, 0.30000000000000004, True),
        ({"type": "float", "low": 0.0, "high": 1.0, "step": 0.1}, 0.35, False),
        ({"type": "int", "low": 1, "high": 9}, 3, True),
        ({"type": "int", "low": 1, "high": 9}, 3.0, False),
        ({"type": "int", "low": 1, "high": 9, "step": 3}, 5, False),
        ({"type": "int", "low": 1, "high": 9}, "3", False),
        ({"type": "categorical", "choices": ["a", 1]}, 1, True),
        ({"type": "categorical", "choices": ["a", 1]}, True, False),
        ({"type": "categorical", "choices": ["a", 1]}, "b", False),
    ],
)
def test_whether_a_value_lies_in_a_distribution(form: dict[str, Any], value: Any, expected: bool):
    assert fits(form, value) is expected


def test_the_file_alone_runs_with_the_standard_library_only(tmp_path: Path):
    source = Path(client_module.__file__)
    (tmp_path / "hpweb_client.py").write_text(source.read_text())
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import hpweb_client; print(hpweb_client.Client)"
    done = subprocess.run(  # -S: no site-packages
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "hpweb_client.Client" in done.stdout


def test_all_names_are_there():
    assert sorted(client_module.__all__) == list(client_module.__all__)
    assert all(hasattr(client_module, name) for name in client_module.__all__)


# --- the lint ------------------------------------------------------------------------------------------------
def test_what_mattered_is_waited_for_where_a_worker_computes_it(client: Client) -> None:
    space = {"x": {"type": "float", "low": 0.0, "high": 1.0}, "y": {"type": "float", "low": 0.0, "high": 1.0}}
    settings = {"space": space, "metric": "loss", "n_trials": 20, "seed": 1, "sampler": "random"}
    alone, attended = (client.create_study(name, **settings).start() for name in ("alone", "attended"))
    for study in (alone, attended):
        for _ in range(20):
            (trial,) = study.ask()
            trial.tell(trial.params["x"] ** 2)
    found = alone.importance()
    assert (found["ready"], found["n_trials"]) == (True, 20), "no worker lives: it is computed at once"
    assert found["methods"][0]["parameters"][0]["parameter"] == "x"
    assert "Stability cannot be told" in alone.importance("stability")["problem"]
    make_slot()
    assert not attended.importance(wait=0.0)["ready"]
    assert look_at_next()
    assert attended.importance(wait=0.0)["ready"]
    with pytest.raises(InvalidInput, match="target"):
        alone.importance("price")


def test_what_the_curves_say_is_waited_for_likewise(client: Client) -> None:
    space = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
    study = client.create_study("curves", space=space, metric="validation/loss", n_trials=2, max_resource=6).start()
    (trial,) = study.ask()
    curves = ((0.8, 0.9), (0.5, 0.6), (0.3, 0.5), (0.2, 0.6), (0.1, 0.9), (0.05, 1.2))
    for step, (train, validation) in enumerate(curves, 1):
        trial.report({"train/loss": train, "validation/loss": validation}, step)
    trial.tell(1.2)
    found = study.diagnostics()
    assert found["ready"] and found["trials"][0]["verdict"]["rule"] == "overfit_turning", "no worker lives"
    (other,) = study.ask()
    other.report({"train/loss": 0.9, "validation/loss": 0.9}, 1)
    other.tell(0.9)
    make_slot()
    assert study.diagnostics(wait=0.0)["pending"] == 1


def test_a_space_is_linted_before_a_study_is_made_and_by_its_trials_afterwards(client: Client) -> None:
    linear = {"lr": {"type": "float", "low": 1e-4, "high": 0.1}}
    (finding,) = client.lint(linear, n_trials=30, sampler="random", metric="validation/loss")
    assert (finding["rule"], finding["parameter"]) == ("LOG-LR", "lr")
    space = {"lr": finding["fix"]}
    assert client.lint(space) == []
    settings = {"metric": "loss", "direction": "minimize", "n_trials": 30, "sampler": "random", "seed": 3}
    study = client.create_study("linted", space=space, **settings)
    study.start()
    assert study.lint() == []
    for _ in range(30):
        (trial,) = study.ask()
        trial.tell(math.log10(trial.params["lr"]) ** 2)
    (edge,) = study.lint()
    assert (edge["rule"], edge["fix"]["high"]) == ("EDGE", 1.0)
    study.change_ranges({"lr": edge["fix"]})
    assert study.lint() == []


def test_advice_is_read_and_tried_from_a_script(client: Client, bobs_client: Client, alice: Any):
    make_workload("tiny", max_resource=6, space=OWN)
    Split.objects.update(sizes={"train": 100, "validation": 100, "test": 100})
    trial = overfitted(alice)
    advice = client.advice(trial.pk)
    rows = {row["action"]: row for row in advice["advice"]}
    tried = client.try_advice(trial.pk, "more_dropout", pairs=2)
    assert [row["test"]["pairs"] for row in tried["advice"] if row["test"]] == [2]
    assert client.try_advice(trial.pk, "more_dropout", pairs=2) == tried
    clone = client.study(trial.study_id).clone("searches decay", **rows["more_weight_decay"]["follow_up"])
    assert "weight_decay" in clone.spaces()[0]["space"]
    with pytest.raises(Forbidden):
        bobs_client.try_advice(trial.pk, "more_dropout")
