"""create_study and update_study: what they take, and the whole list of what they refuse, field by field."""

import pytest

from tests.factories import SPACE, make_running, make_study, make_workload
from tuning.models import AuditEvent, Parameter, Study, Trial
from tuning.services import studies
from tuning.services.endings import complete_trial
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.studies import create_study, delete_study, update_study

FINITE = {"layers": {"type": "int", "low": 1, "high": 3}}
GIVEN = {"name": "lr sweep", "space": SPACE, "n_trials": 10, "metric": "validation/loss"}


def refused(owner, **changes):
    with pytest.raises(Invalid) as caught:
        create_study(owner=owner, **{**GIVEN, **changes})
    assert not Study.objects.exists()
    return caught.value


def test_a_study_is_ready_and_keeps_what_was_asked_for(alice):
    study = create_study(owner=alice, **GIVEN, parallel=3, seed=5, objective="last", direction="maximize")
    assert (study.state, study.owner, study.kind, study.visibility) == ("READY", alice, "external", "team")
    assert (study.parallel, study.seed, study.objective, study.direction) == (3, 5, "last", "maximize")
    assert (study.budget_total, study.metric, study.space.number) == (10, "validation/loss", 1)
    rows = Parameter.objects.filter(space=study.space)
    assert [row.name for row in rows] == list(SPACE)
    assert rows[0].log
    assert (rows[0].low, rows[0].high) == (1e-5, 0.1)
    assert rows[1].choices == ["sgd", "adamw"]
    assert rows[2].condition == {"optimizer": ["sgd"]}
    event = AuditEvent.objects.get(object_kind="study")
    assert (event.verb, event.actor_name, event.object_name) == ("created", "alice", "lr sweep")


def test_a_workload_gives_what_is_left_out(alice):
    make_workload("tiny")
    study = create_study(owner=alice, name="by workload", workload="tiny", n_trials=3)
    assert (study.metric, study.direction, study.max_resource) == ("validation/loss", "minimize", 5)
    assert study.space.document == SPACE
    assert (study.workload_digest, study.kind) == ("0" * 64, "tune")


def test_a_seed_is_drawn_where_none_is_given(alice):
    seeds = {create_study(owner=alice, **{**GIVEN, "name": f"s{i}"}).seed for i in range(4)}
    assert len(seeds) == 4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"workload": "nowhere", "space": None}, "workload"),
        ({"metric": "test/loss"}, "metric"),
        ({"metric": "m" * 121}, "metric"),
        ({"direction": "up"}, "direction"),
        ({"objective": "mean"}, "objective"),
        ({"visibility": "public"}, "visibility"),
        ({"n_trials": 0}, "n_trials"),
        ({"n_trials": None}, "n_trials"),
        ({"n_trials": 2.5}, "n_trials"),
        ({"n_trials": True}, "n_trials"),
        ({"n_trials": 1_000_001}, "n_trials"),
        ({"parallel": 0}, "parallel"),
        ({"parallel": 1_001}, "parallel"),
        ({"max_resource": 0}, "max_resource"),
        ({"min_resource": 0}, "min_resource"),
        ({"min_resource": 9, "max_resource": 3}, "max_resource"),
        ({"reduction_factor": 1}, "reduction_factor"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"sampler": "magic"}, "sampler"),
        ({"sampler_options": {"speed": 9}}, "sampler_options"),
        ({"sampler_options": {"budget": 9}}, "sampler_options"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"scheduler_options": {"speed": 9}}, "scheduler_options"),
        ({"space": None}, "space"),
        ({"space": {}}, "space"),
        ({"space": [1]}, "space"),
        ({"space": {"lr": {"type": "float", "low": 1.0, "high": 0.1}}}, "space.lr.high"),
        ({"space": {"lr": {"type": "float", "low": 0.0, "high": 0.1, "log": True}}}, "space.lr.low"),
        ({"space": {"lr": {"type": "floot", "low": 0.0, "high": 0.1}}}, "space.lr.type"),
        ({"space": {"lr": {"type": "categorical", "choices": []}}}, "space.lr.choices"),
        ({"space": {"l r": {"type": "int", "low": 1, "high": 2}}}, "space.l r"),
        ({"sampler": "grid", "space": {"lr": {"type": "float", "low": 0.1, "high": 1.0}}}, "space.lr.step"),
    ],
)
def test_bad_input_names_its_field_alone(alice, changes, field):
    error = refused(alice, **changes)
    assert [path for path in error.fields if path != field] == [], error.fields
    assert all(len(message) > 10 for message in error.fields[field])


def test_everything_wrong_is_said_at_once(alice):
    error = refused(
        alice, name="", parallel=0, direction="up", space={"lr": {"type": "float", "low": 2.0, "high": 1.0}}
    )
    assert set(error.fields) == {"name", "parallel", "direction", "space.lr.high"}
    assert [issue.parameter for issue in error.space_issues] == ["lr"]
    assert "parallel" in error.message


def test_a_broken_workload_says_its_last_line(alice):
    make_workload("broken", error="Traceback\n  …\nImportError: no module named x", space=None)
    error = refused(alice, workload="broken", space=None)
    assert list(error.fields) == ["workload"]
    assert "ImportError: no module named x" in error.fields["workload"][0]


def test_an_objective_needs_no_space_but_then_no_grid(alice):
    make_workload("function", kind="objective", space=None)
    study = create_study(owner=alice, name="by run", workload="function", n_trials=3)
    assert study.space is None
    with pytest.raises(Invalid) as caught:
        create_study(owner=alice, name="grid", workload="function", sampler="grid")
    assert "sampler" in caught.value.fields


def test_a_grid_ends_by_itself(alice):
    study = create_study(owner=alice, name="grid", space=FINITE, sampler="grid")
    assert study.budget_total is None


def test_a_name_is_used_once_by_an_owner_and_again_by_another(alice, bob):
    create_study(owner=alice, **GIVEN)
    create_study(owner=bob, **GIVEN)
    with pytest.raises(Invalid, match="already have a study"):
        create_study(owner=alice, **{**GIVEN, "name": " lr sweep "})


def test_a_name_taken_between_look_and_insert_is_refused_in_words(alice, monkeypatch):
    create_study(owner=alice, **GIVEN)
    monkeypatch.setattr(studies.Study.objects, "filter", lambda **_: Study.objects.none())
    with pytest.raises(Invalid) as caught:
        create_study(owner=alice, **GIVEN)
    assert list(caught.value.fields) == ["name"]


# --- changes -----------------------------------------------------------------------------------------------------
def test_the_owner_and_administrators_change_a_study(alice, admin):
    study = make_study(alice)
    before = study.version
    study = update_study(study=study, actor=alice, name=" new ", description="d", n_trials=20, parallel=2, priority=5)
    assert (study.name, study.description, study.budget_total, study.parallel, study.priority) == ("new", "d", 20, 2, 5)
    assert study.version > before
    assert update_study(study=study, actor=admin, visibility="private").visibility == "private"
    event = AuditEvent.objects.filter(verb="changed").first()
    assert (event.before, event.after) == ({"visibility": "team"}, {"visibility": "private"})


def test_others_are_refused(alice, bob):
    study = make_study(alice)
    with pytest.raises(Forbidden, match="alice"):
        update_study(study=study, actor=bob, name="mine")
    with pytest.raises(Forbidden):
        delete_study(study=study, actor=bob)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"seed": 3}, "seed"),
        ({"visibility": "all"}, "visibility"),
        ({"parallel": 0}, "parallel"),
        ({"priority": 2000}, "priority"),
        ({"n_trials": 0}, "n_trials"),
        ({"n_trials": None}, "n_trials"),
    ],
)
def test_bad_changes_name_their_field(alice, changes, field):
    study = make_study(alice)
    with pytest.raises(Invalid) as caught:
        update_study(study=study, actor=alice, **changes)
    assert list(caught.value.fields) == [field]


def test_the_number_of_trials_never_falls_below_what_exists(alice):
    study = make_study(alice, started=True)
    for _ in range(3):
        make_running(study)
    with pytest.raises(Invalid):
        update_study(study=study, actor=alice, n_trials=2)
    assert update_study(study=study, actor=alice, n_trials=3).state == "RUNNING"


def test_asking_for_no_more_than_has_ended_finishes_the_study(alice):
    study = make_study(alice, started=True)
    trial = make_running(study)
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=1.0)
    assert update_study(study=study, actor=alice, n_trials=1).state == "FINISHED"
    with pytest.raises(Conflict, match="finished"):
        update_study(study=study, actor=alice, n_trials=5)


def test_a_deleted_study_takes_rows_and_files_along(alice, settings, django_capture_on_commit_callbacks):
    study = make_study(alice, started=True)
    trial = make_running(study)
    folder = settings.ARTIFACT_DIR / f"study-{study.pk}"
    folder.mkdir(parents=True)
    (folder / "log").write_text("words")
    with pytest.raises(Conflict, match="stop it"):
        delete_study(study=study, actor=alice)
    complete_trial(trial_id=trial.pk, fence=trial.fence, value=1.0)
    update_study(study=study, actor=alice, n_trials=1)
    with django_capture_on_commit_callbacks(execute=True):
        delete_study(study=study, actor=alice)
    assert not Study.objects.exists()
    assert not Trial.objects.exists()
    assert not folder.exists()
    assert AuditEvent.objects.filter(verb="deleted", object_id=study.pk).exists()
