"""The page of the learning-rate finder: its form, its states, and the click that takes a range over."""

import pytest

from tests.factories import make_slot, make_study, make_workload
from tests.services.test_lr_ranges import ANSWER, CURVE, NO_BRACKET, answered
from tests.web.conftest import poll, words
from tests.web.test_new_study import filled
from tuning.models import Job, Study
from tuning.services.job_endings import finish_job
from tuning.services.jobs import claim_job
from tuning.services.lr_ranges import request_lr_range

PAGE = "/workloads/tiny/learning-rate/"
FORM = {
    "low": "1e-6", "high": "10", "steps": "100", "seed": "0", "overlay": "", "overlay_values": "",
    "p-optimizer": "sgd", "p-momentum": "0.9",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _tiny(db):
    make_workload("tiny")


def test_the_form_has_the_middle_of_the_space_and_not_the_learning_rate(as_alice):
    page = as_alice.get(PAGE)
    text = page.content.decode()
    assert page.status_code == 200
    assert "Nothing is tested yet" in words(page)
    assert 'name="p-momentum" value="0.495"' in text
    assert 'name="p-lr"' not in text
    assert 'value="1e-6"' in text and 'value="10"' in text
    assert "Only when optimizer = sgd." in words(page)
    assert "hx-get" not in text.split("columns__side")[0].split("columns__main")[1], "nothing to wait for"


def test_the_workloads_page_leads_to_it(as_alice):
    make_workload("script", kind="objective")
    page = as_alice.get("/workloads/").content.decode()
    assert page.count("/learning-rate/") == 1 and PAGE in page


def test_a_test_waits_runs_and_shows_its_curve(as_alice, alice):
    answer = as_alice.post(PAGE, FORM)
    job = Job.objects.get()
    assert answer.status_code == 302 and answer["Location"] == f"{PAGE}?job={job.pk}"
    assert job.args["curves"][0]["params"] == {"lr": 0.001, "optimizer": "sgd", "momentum": 0.9}
    page = as_alice.get(answer["Location"])
    assert "waits for a free slot" in words(page)
    assert 'hx-trigger="every 2s"' in page.content.decode()
    assert poll(as_alice, answer["Location"], page["ETag"]).status_code == 304
    claimed = claim_job(slot=make_slot())
    running = poll(as_alice, answer["Location"], page["ETag"])
    assert running.status_code == 200 and "The test runs on host-1" in words(running)
    finish_job(job_id=job.pk, fence=claimed.fence, error="The data are gone. Look at HPWEB_DATA_DIR.")
    failed = poll(as_alice, answer["Location"], running["ETag"])
    assert failed.status_code == 286, "the polling ends"
    assert "The test failed" in words(failed) and "Look at HPWEB_DATA_DIR." in words(failed)
    job = answered(alice, seed=1)
    page = as_alice.get(PAGE)
    assert "What it says" in words(page) and 'id="lr-figure-data"' in page.content.decode()
    assert "0.004 0.02 0.05" in words(page)
    assert "lr 0.001 to 0.07, log" in words(page)
    assert "The test ended as the loss had risen to four times its least." in words(page)
    assert "Use this range" not in words(page), "there is no study that it is for"
    assert "Your tests" in words(page)


def test_a_curve_without_a_bracket_gives_its_reason(as_alice, alice):
    answered(alice, {**ANSWER, "curves": [CURVE, {**NO_BRACKET, "label": "optimizer adamw"}]},
             overlay={"optimizer": ["sgd", "adamw"]})  # fmt: skip
    page = words(as_alice.get(PAGE))
    assert "no suggestion" in page
    assert "optimizer adamw: The curve is flat." in page


def test_values_are_compared(as_alice):
    as_alice.post(PAGE, {**FORM, "overlay": "optimizer", "overlay_values": "sgd, adamw"})
    job = Job.objects.get()
    assert [curve["label"] for curve in job.args["curves"]] == ["optimizer sgd", "optimizer adamw"]
    assert "momentum" not in job.args["curves"][1]["params"]
    again = as_alice.get(PAGE).content.decode()
    assert 'value="sgd, adamw"' in again and '<option value="optimizer" selected>' in again


def test_what_is_inactive_does_not_matter(as_alice):
    assert as_alice.post(PAGE, {**FORM, "p-optimizer": "adamw"}).status_code == 302
    assert Job.objects.get().args["curves"][0]["params"] == {"lr": 0.001, "optimizer": "adamw"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"low": "small"}, "'small' is not a number"),
        ({"high": ""}, "This field is required."),
        ({"low": "1", "high": "2"}, "Test at least a factor of 10"),
        ({"steps": "5"}, "give a whole number from 20 to 1,000"),
        ({"p-momentum": "3"}, "3 is not a number from 0.0 to 0.99"),
        ({"overlay": "momentum", "overlay_values": "0.5"}, "Give 2 to 6 values of momentum"),
        ({"overlay_values": "0.5, 0.6"}, "Choose whose values these are."),
        ({"p-optimizer": "lion"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(as_alice, changes, sentence):
    answer = as_alice.post(PAGE, {**FORM, "seed": "77", **changes})
    assert answer.status_code == 400
    assert sentence in words(answer)
    assert 'value="77"' in answer.content.decode()
    assert not Job.objects.exists()


def test_it_is_cancelled_by_who_asked(as_alice, as_bob, alice):
    job = request_lr_range(actor=alice, workload="tiny")
    assert as_bob.post(f"{PAGE}?job={job.pk}", {"cancel": "1"}).status_code == 404
    assert "Cancel" in words(as_alice.get(PAGE))
    answer = as_alice.post(f"{PAGE}?job={job.pk}", {"cancel": "1"}, follow=True)
    assert "Cancelled by alice." in words(answer)
    assert as_alice.post(f"{PAGE}?job={job.pk}", {"cancel": "1"}).status_code == 302, "again is no error"


def test_who_may_not_and_what_has_no_finder(as_alice, as_bob, client, alice):
    job = answered(alice)
    assert as_bob.get(f"{PAGE}?job={job.pk}").status_code == 404
    assert "Nothing is tested yet" in words(as_bob.get(PAGE))
    assert client.get(PAGE).status_code == 302
    assert as_alice.get("/workloads/none_such/learning-rate/").status_code == 404
    make_workload("script", kind="objective")
    answer = as_alice.get("/workloads/script/learning-rate/")
    assert answer.status_code == 409 and "needs a PyTorch workload" in words(answer)
    make_workload("other")
    assert as_alice.get(f"/workloads/other/learning-rate/?job={job.pk}").status_code == 404
    assert as_alice.get(f"{PAGE}?study={make_study(alice).pk}").status_code == 404
    private = make_study(alice, workload="tiny", visibility="private")
    assert as_bob.get(f"{PAGE}?study={private.pk}").status_code == 404
    assert as_alice.delete(PAGE).status_code == 405


# --- taking it over ----------------------------------------------------------------------------------------------
def test_one_click_takes_the_range_over_to_the_studys_ranges(as_alice, as_bob, alice):
    study = make_study(alice, workload="tiny")
    address = f"{PAGE}?study={study.pk}"
    assert address in as_alice.get(f"/studies/{study.pk}/setup/").content.decode()
    assert PAGE not in as_bob.get(f"/studies/{study.pk}/setup/").content.decode(), "its owner changes the ranges"
    job = answered(alice, study_id=study.pk)
    page = as_alice.get(f"{address}&job={job.pk}")
    link = f"/studies/{study.pk}/ranges/?lr_range={job.pk}&amp;curve=0"
    assert link in page.content.decode()
    form = as_alice.get(link.replace("&amp;", "&")).content.decode()
    assert 'name="form-0-low" value="0.001"' in form and 'name="form-0-high" value="0.07"' in form
    assert '<option value="log" selected>' in form
    assert f"The learning-rate test {job.pk} found that 0.004 to 0.02 trains." in form
    assert Study.objects.get(pk=study.pk).space.document["lr"]["low"] == 1e-5, "until the person says so"


def test_a_range_that_is_there_already_offers_nothing(as_alice, alice):
    space = {"lr": {"type": "float", "low": 0.001, "high": 0.07, "log": True}}
    study = make_study(alice, workload="tiny", space=space)
    job = answered(alice, study_id=study.pk)
    page = words(as_alice.get(f"{PAGE}?study={study.pk}&job={job.pk}"))
    assert "(as it is)" in page and "Use this range" not in page


def test_a_test_of_somebody_else_fills_nothing(as_bob, bob, alice):
    job = answered(alice)
    study = make_study(bob, workload="tiny")
    assert as_bob.get(f"/studies/{study.pk}/ranges/?lr_range={job.pk}").status_code == 404


def test_the_page_asks_a_few_queries(as_alice, alice, django_assert_max_num_queries):
    for seed in range(3):
        answered(alice, seed=seed)
    with django_assert_max_num_queries(12):
        as_alice.get(PAGE)


def test_from_a_new_study_and_back_with_the_range(as_alice, alice):
    form = "/studies/new/?workload=tiny&draft=a-key-of-ours"
    sent = filled(as_alice.get(form), name="typed", form__0__name="rate", form__0__annotation="learning_rate")
    answer = as_alice.post(form, sent | {"find_lr": "1"})
    assert answer["Location"] == f"{PAGE}?draft=a-key-of-ours"
    asked = as_alice.post(answer["Location"], FORM)
    assert asked["Location"].endswith("&draft=a-key-of-ours")
    assert as_alice.post(asked["Location"], {"cancel": "1"})["Location"] == asked["Location"]
    job = answered(alice, seed=1)
    page = as_alice.get(f"{PAGE}?draft=a-key-of-ours&job={job.pk}")
    assert "Back to the new study" in words(page)
    assert "Use this range" in words(page)
    back = as_alice.post("/studies/new/drafts/a-key-of-ours/learning-rate/", {"job": job.pk, "curve": 0})
    assert back["Location"].endswith("draft=a-key-of-ours#step-space")
    left = filled(as_alice.get(back["Location"]))
    assert (left["name"], left["form-0-name"], left["form-0-scale"]) == ("typed", "rate", "log")
    low, high = (float(left[f"form-0-{end}"]) for end in ("low", "high"))
    assert low < CURVE["bracket"][0] < CURVE["bracket"][1] < high
    gone = as_alice.post("/studies/new/drafts/never-there/learning-rate/", {"job": job.pk, "curve": 0})
    assert gone.status_code == 404
    nothing = as_alice.post("/studies/new/drafts/a-key-of-ours/learning-rate/", {"job": job.pk, "curve": 7})
    assert nothing.status_code == 404


def test_a_test_on_its_own_begins_a_new_study_with_its_range(as_alice, as_bob, alice):
    job = answered(alice)
    page = as_alice.get(f"{PAGE}?job={job.pk}")
    assert "New study with it" in words(page)
    begun = as_alice.post("/studies/new/learning-rate/tiny/", {"job": job.pk, "curve": 0})
    assert begun["Location"].startswith("/studies/new/?workload=tiny&draft=")
    left = filled(as_alice.get(begun["Location"]))
    low, high = (float(left[f"form-0-{end}"]) for end in ("low", "high"))
    assert low < CURVE["bracket"][0] < CURVE["bracket"][1] < high
    assert left["name"].startswith("tiny, ") and left["n_trials"] == "30"
    assert as_bob.post("/studies/new/learning-rate/tiny/", {"job": job.pk, "curve": 0}).status_code == 404
    make_workload("other")
    assert as_alice.post("/studies/new/learning-rate/other/", {"job": job.pk, "curve": 0}).status_code == 404
