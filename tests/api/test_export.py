"""GET studies/{id}/export/."""

import csv
import io
import json
from typing import Any

import pytest
import yaml

from tests.api.conftest import fields_of
from tests.factories import make_running, make_study
from tuning.api.views import exports
from tuning.models import Study, Trial
from tuning.services.endings import complete_trial
from tuning.services.trials import enqueue_trial


@pytest.fixture
def done(alice: Any) -> Study:
    study = make_study(alice, name="größe", started=True, n_trials=40, parallel=40)
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 0.01, "optimizer": "adamw"})
    for value in (0.5, 0.25, 0.75):
        trial = make_running(study)
        complete_trial(trial_id=trial.pk, fence=trial.fence, value=value)
    study.refresh_from_db()
    return study


def test_json_and_yaml_hold_the_best_configuration(as_alice, done):
    best = Trial.objects.get(study=done, number=1)
    answer = as_alice.get(f"studies/{done.pk}/export/")
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == f'attachment; filename="study-{done.pk}-best.json"'
    document = json.loads(answer.content)
    assert (document["study"], document["value"], document["trial"]) == ("größe", 0.25, 1)
    assert document["params"] == best.params
    assert document["seed"] == best.seed
    answer = as_alice.get(f"studies/{done.pk}/export/?format=yaml")
    assert answer["Content-Type"].startswith("application/yaml")
    assert yaml.safe_load(answer.content.decode()) == document
    assert "größe" in answer.content.decode()


def test_csv_holds_every_trial_by_number(as_alice, done, monkeypatch):
    monkeypatch.setattr(exports, "PAGE", 2)
    make_running(done)
    answer = as_alice.get(f"studies/{done.pk}/export/?format=csv")
    assert answer.streaming
    assert answer["Content-Disposition"] == f'attachment; filename="study-{done.pk}-trials.csv"'
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row["number"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["state"] for row in rows] == ["COMPLETE"] * 3 + ["RUNNING"]
    assert [row["value"] for row in rows] == ["0.5", "0.25", "0.75", ""]
    assert (rows[0]["params.lr"], rows[0]["params.optimizer"], rows[0]["params.momentum"]) == (
        "0.01",
        "adamw",
        "",
    )
    for row, trial in zip(rows, Trial.objects.filter(study=done).order_by("number"), strict=True):
        assert float(row["params.lr"]) == trial.params["lr"]


def test_csv_keeps_text_with_commas_quotes_and_lines(as_alice, alice):
    choices = ['a,"b"', "c\nd", True, 3]
    study = make_study(alice, started=True, space={"kind": {"type": "categorical", "choices": choices}})
    for choice in choices:
        enqueue_trial(study_id=study.pk, actor=alice, params={"kind": choice})
    answer = as_alice.get(f"studies/{study.pk}/export/?format=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))
    assert [row["params.kind"] for row in rows] == ['a,"b"', "c\nd", "true", "3"]


def test_csv_has_a_column_for_suggested_parameters(as_alice, running):
    asked = as_alice.post(f"studies/{running.pk}/ask/").json()["trials"][0]
    distribution = {"type": "categorical", "choices": ["long"]}
    body = {"lease": asked["lease"], "name": "warmup", "distribution": distribution}
    as_alice.post(f"trials/{asked['id']}/suggest/", body)
    answer = as_alice.get(f"studies/{running.pk}/export/?format=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert json.loads(rows[0]["params"]) == {"warmup": "long"}


def test_csv_of_a_study_without_trials_is_its_head(as_alice, study):
    answer = as_alice.get(f"studies/{study.pk}/export/?format=csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines == [
        "number,state,value,value_step,reason_code,resource,resource_done,started,completed,seed,infeasible,"
        "params.lr,params.optimizer,params.momentum,params"
    ]


def test_csv_reads_in_pages_not_trial_by_trial(as_alice, done, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr(exports, "PAGE", 2)
    answer = as_alice.get(f"studies/{done.pk}/export/?format=csv")
    with django_assert_num_queries(2):
        list(answer.streaming_content)


def test_there_is_no_best_before_a_trial_is_complete(as_alice, running):
    make_running(running)
    answer = as_alice.get(f"studies/{running.pk}/export/?format=json")
    assert answer.status_code == 404
    assert "complete" in answer.json()["detail"]


def test_an_unknown_format_is_refused(as_alice, done):
    answer = as_alice.get(f"studies/{done.pk}/export/?format=xlsx")
    assert answer.status_code == 400
    assert "format" in fields_of(answer)


@pytest.mark.parametrize("form", ["json", "yaml", "csv"])
def test_exports_are_for_those_who_see_the_study(as_bob, as_charlie, as_nobody, done, form):
    assert as_bob.get(f"studies/{done.pk}/export/?format={form}").status_code == 200
    assert as_nobody.get(f"studies/{done.pk}/export/?format={form}").status_code == 401
    Study.objects.filter(pk=done.pk).update(visibility="private")
    assert as_charlie.get(f"studies/{done.pk}/export/?format={form}").status_code == 404
