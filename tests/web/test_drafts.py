"""What is typed into the form of a new study is kept, found again, and gone once there is a study."""

import json
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from tests.factories import SPACE, make_study, make_workload
from tests.web.conftest import words
from tests.web.test_new_study import filled
from tuning.models import Draft, Job, Study
from tuning.selectors.drafts import drafts_of
from tuning.services import drafts
from tuning.services.drafts import save_draft
from tuning.services.errors import Conflict, Invalid

pytestmark = pytest.mark.django_db
PAGE = "/studies/new/?workload=tiny&draft=a-key-of-ours"
KEEP = "/studies/new/keep/?workload=tiny&draft=a-key-of-ours"


@pytest.fixture(autouse=True)
def _workload(db) -> None:
    make_workload("tiny")


def test_a_draft_is_kept_while_one_types_and_found_as_it_was_left(as_alice: Client) -> None:
    data = filled(as_alice.get(PAGE), name="half a na", n_trials="4x", **{"form__0__low": "1e-"})
    answer = as_alice.post(KEEP, data)
    assert "Kept as a draft at" in words(answer)
    left = as_alice.get(PAGE)
    assert "Nothing is created yet" not in words(left), "nothing was sent"
    token = {"csrfmiddlewaretoken": ""}
    assert filled(left) | token == data | token
    assert "half a na tiny, changed just now" in words(as_alice.get("/studies/new/"))
    as_alice.post(f"/studies/new/check/{PAGE[13:]}", {**data, "name": "half a name"})
    assert Draft.objects.get().fields["name"] == ["half a name"]


def test_an_address_without_a_key_gets_one_in_its_form(as_alice: Client) -> None:
    html = as_alice.get("/studies/new/?workload=tiny").content.decode()
    (action,) = re.findall(r'id="new-study" action="(\?[^"]*)"', html)
    key = action.partition("draft=")[2]
    assert len(key) >= 8
    as_alice.post(f"/studies/new/{action.replace('&amp;', '&')}", {"keep": "1", "name": "mine"})
    assert Draft.objects.get().key == key


@pytest.mark.parametrize("button", ["add_row", "insert_template", "keep", "preflight"])
def test_every_button_keeps_what_was_typed(as_alice: Client, button: str) -> None:
    data = filled(as_alice.get(PAGE), name="typed", template="optimizer")
    assert as_alice.post(PAGE, {**data, button: "1"}).status_code in (200, 302)
    assert Draft.objects.get().fields["name"] == ["typed"]
    assert not Study.objects.exists()


def test_what_is_refused_is_kept_and_what_is_created_is_no_draft_any_more(as_alice: Client) -> None:
    data = filled(as_alice.get(PAGE), name="", n_trials="5")
    assert as_alice.post(PAGE, {**data, "create": "1"}).status_code == 400
    assert Draft.objects.count() == 1
    assert as_alice.post(PAGE, {**data, "name": "whole", "create": "1"}).status_code == 302
    assert "Go on with a draft" not in words(as_alice.get("/studies/new/"))


def test_what_was_on_the_way_when_the_study_was_created_brings_no_draft_back(as_alice: Client, alice) -> None:
    """Trap: a page keeps what is typed while it is sent, and the server may take the two in the other order."""
    data = filled(as_alice.get(PAGE), name="whole")
    as_alice.post(PAGE, {**data, "create": "1"})
    late = as_alice.post(KEEP, data)
    assert "Not kept as a draft. The study of this draft is created" in words(late)
    assert drafts_of(alice) == []
    assert filled(as_alice.get(PAGE))["name"] != "", "the address begins anew"
    Draft.objects.update(changed=timezone.now() - timedelta(days=2))
    as_alice.post(KEEP.replace("a-key-of-ours", "another-key"), data)
    assert [draft.key for draft in Draft.objects.all()] == ["another-key"], "and nothing is left for ever"


def test_a_draft_is_its_owners_alone(as_alice: Client, as_bob: Client) -> None:
    as_alice.post(PAGE, filled(as_alice.get(PAGE), name="secret") | {"keep": "1"})
    assert "secret" not in words(as_bob.get(PAGE))
    assert "secret" not in words(as_bob.get("/studies/new/"))
    as_bob.post("/studies/new/drafts/a-key-of-ours/discard/")
    assert Draft.objects.count() == 1
    assert "The draft is gone." in words(as_alice.post("/studies/new/drafts/a-key-of-ours/discard/", follow=True))
    assert not Draft.objects.exists()


def test_a_draft_of_a_clone_goes_on_as_one(as_alice: Client, alice) -> None:
    source = make_study(alice, workload="tiny", name="first")
    page = f"/studies/new/?from={source.pk}&draft=of-a-clone"
    as_alice.post(page, filled(as_alice.get(page), name="second") | {"keep": "1"})
    assert f"from={source.pk}&amp;draft=of-a-clone" in as_alice.get("/studies/new/").content.decode()
    as_alice.post(page, filled(as_alice.get(page)) | {"create": "1"})
    assert Study.objects.get(name="second").clone_of == source


def test_the_checks_are_asked_for_from_the_form(as_alice: Client) -> None:
    make_workload("fresh", checked=False)
    page = "/studies/new/?workload=fresh&draft=a-key-of-ours"
    shown = words(as_alice.get(page))
    assert "The checks have not run on this code yet." in shown
    assert "Create, check and start" in shown
    answer = as_alice.post(page, filled(as_alice.get(page), name="typed") | {"preflight": "1"})
    assert answer["Location"].endswith("#step-preflight")
    assert Job.objects.filter(kind="preflight").count() == 1
    shown = as_alice.get(page)
    assert "It waits for a free slot" in words(shown)
    assert b'hx-get="/workloads/fresh/preflight/?step=1"' in shown.content
    assert filled(shown)["name"] == "typed"


def test_a_key_that_is_none_and_drafts_without_end_are_refused(alice, monkeypatch) -> None:
    with pytest.raises(Invalid, match="8 to 40 letters"):
        save_draft(owner=alice, key="../x", workload="", fields={})
    monkeypatch.setattr(drafts, "MOST", 1)
    for _ in range(2):  # the same key is the same draft
        save_draft(owner=alice, key="the-first", workload="", fields={"name": ["x"]})
    with pytest.raises(Conflict, match="discard some"):
        save_draft(owner=alice, key="the-second", workload="", fields={})


def test_a_draft_too_many_is_told_and_holds_up_no_study(as_alice: Client, alice, monkeypatch) -> None:
    monkeypatch.setattr(drafts, "MOST", 1)
    save_draft(owner=alice, key="the-first", workload="", fields={"name": ["x"]})
    data = filled(as_alice.get(PAGE), name="whole")
    assert "Not kept as a draft. You have 1 drafts" in words(as_alice.post(f"/studies/new/keep/{PAGE[13:]}", data))
    assert as_alice.post(f"/studies/new/check/{PAGE[13:]}", data).status_code == 200
    assert as_alice.post(PAGE, {**data, "create": "1"}).status_code == 302
    assert Study.objects.filter(name="whole").exists()


YAML = """
workload: tiny
name: from a file
n_trials: 40
sampler: tpe
scheduler: asha
reduction_factor: 4
scheduler_options: {type: stopping}
device_seconds: 7200
space:
  lr: {type: float, low: 1.0e-4, high: 0.3, log: true}
"""


@pytest.mark.parametrize("way", ["text", "file"])
def test_a_file_is_typed_into_the_form(as_alice: Client, way: str) -> None:
    sent = {"text": YAML} if way == "text" else {"file": SimpleUploadedFile("study.yaml", YAML.encode())}
    answer = as_alice.post("/studies/new/file/", sent)
    assert answer.status_code == 302
    data = filled(as_alice.get(answer["Location"]))
    found = {name: data[name] for name in ("name", "n_trials", "device_seconds", "asha-reduction_factor", "asha-type")}
    assert found == {
        "name": "from a file", "n_trials": "40", "device_seconds": "2 h", "asha-reduction_factor": "4",
        "asha-type": "stopping",
    }  # fmt: skip
    assert (data["sampler"], data["scheduler"]) == ("tpe", "asha")
    assert as_alice.post(answer["Location"], {**data, "create": "1"}).status_code == 302
    study = Study.objects.get(name="from a file")
    assert study.space is not None
    assert study.space.document == {"lr": {"type": "float", "low": 1e-4, "high": 0.3, "log": True}}
    assert (study.sampler, study.scheduler, study.reduction_factor, study.budget_total) == ("tpe", "asha", 4, 40)


def test_json_and_a_study_of_scripts_go_the_same_way(as_alice: Client) -> None:
    text = json.dumps({"name": "script", "metric": "loss", "direction": "maximize", "n_trials": 3, "space": SPACE})
    answer = as_alice.post("/studies/new/file/", {"text": text})
    data = filled(as_alice.get(answer["Location"]))
    assert as_alice.post(answer["Location"], {**data, "create": "1"}).status_code == 302
    study = Study.objects.get(name="script")
    assert (study.workload, study.metric, study.direction) == ("", "loss", "maximize")
    assert study.space is not None
    assert study.space.document == SPACE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Choose a file, or paste its text."),
        ("name: [x", "neither YAML nor JSON in line 1"),
        ("- a", "pairs of a name and a value"),
        ("workload: nobody", "There is no workload named 'nobody'"),
        ("workload: tiny\ntrials: 3", "There is no setting trials. Did you mean n_trials? There are constraints,"),
        ("workload: tiny\nsampler: magic", "There is no sampler 'magic'"),
        ("workload: tiny\nspace: {lr: {type: float, low: 2, high: 1}}", "lr"),
        ("workload: tiny\nsampler_options: 3", "pairs of an option and its value"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why_and_stays(as_alice: Client, text: str, told: str) -> None:
    answer = as_alice.post("/studies/new/file/", {"text": text})
    assert answer.status_code == 400
    assert told in words(answer)
    assert not Draft.objects.exists()
    if text:
        assert text.splitlines()[-1] in words(answer)


def test_another_workload_takes_over_what_fits(as_alice: Client) -> None:
    make_workload("wide", max_resource=50, metric="validation/accuracy", direction="maximize", space={
        "width": {"type": "int", "low": 1, "high": 9}
    })  # fmt: skip
    data = filled(as_alice.get(PAGE), n_trials="77", sampler="tpe", max_resource="3", other_workload="wide")
    answer = as_alice.post(PAGE, {**data, "switch": "1"})
    assert answer["Location"] == "/studies/new/?workload=wide&draft=a-key-of-ours"
    left = filled(as_alice.get(answer["Location"]))
    assert (left["n_trials"], left["sampler"], left["max_resource"]) == ("77", "tpe", "50")
    assert left["metric"] == "validation/accuracy"
    assert (left["form-0-name"], left["form-TOTAL_FORMS"]) == ("width", "1")
    assert left["name"].startswith("wide, "), "nobody had typed one"
    back = as_alice.post(answer["Location"], {**left, "name": "mine", "other_workload": "script", "switch": "1"})
    assert filled(as_alice.get(back["Location"]))["name"] == "mine"
    wrong = as_alice.post(PAGE, {**data, "other_workload": "nobody", "switch": "1"})
    assert wrong.status_code == 404


def test_a_file_may_name_the_studies_to_learn_from(as_alice: Client, alice) -> None:
    earlier = make_study(alice, workload="tiny", name="earlier", started=True)
    study = {"workload": "tiny", "name": "later", "n_trials": 5, "warm_start": [{"study": earlier.pk}]}
    answer = as_alice.post("/studies/new/file/", {"text": json.dumps(study)})
    assert answer.status_code == 302
    assert Draft.objects.get().fields["warm_start"] == [str(earlier.pk)]
    refused = as_alice.post("/studies/new/file/", {"text": "workload: tiny\nwarm_start: 3"})
    assert "Write a list such as" in words(refused)


def test_a_file_that_is_no_text_is_told_on_the_same_page(as_alice: Client) -> None:
    answer = as_alice.post("/studies/new/file/", {"file": SimpleUploadedFile("study.yaml", b"\xff\xfe\x00")})
    assert answer.status_code == 400
    assert "not text in UTF-8" in words(answer)
