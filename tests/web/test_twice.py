"""Each control pressed twice from its page is the same as once: one change, one event, one attempt, the same answer."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse

from tests.factories import make_running, make_slot, make_study, report
from tests.web.conftest import browser_of
from tuning.models import Attempt, AuditEvent, Host, Slot, Study, Trial
from tuning.services.draining import start_drain
from tuning.services.endings import complete_trial, fail_trial
from tuning.services.exclusion import exclude_trial
from tuning.services.lifecycle import pause_study
from tuning.services.trials import enqueue_trial

WHY = "trained on the wrong data"


@dataclass
class World:
    """A study at work: trial 0 failed, trial 1 runs on a slot, trial 2 waits."""

    owner: User
    admin: User
    study: Study
    failed: Trial
    running: Trial
    slot: Slot

    @property
    def address(self) -> str:
        return f"/studies/{self.study.pk}"

    @property
    def host(self) -> str:
        return f"/workers/{self.slot.device.host_id}"

    def pause(self) -> None:
        pause_study(study_id=self.study.pk, actor=self.owner)

    def drain(self) -> None:
        start_drain(host_id=self.slot.device.host_id, actor=self.admin)

    def drain_now(self) -> None:
        start_drain(host_id=self.slot.device.host_id, actor=self.admin, now=True)

    def exclude(self) -> None:
        exclude_trial(trial_id=self.failed.pk, actor=self.owner, reason=WHY)

    def finish(self) -> None:
        """The last trial ends while somebody looks at the page."""
        Trial.objects.filter(study=self.study, state="WAITING").delete()
        Study.objects.filter(pk=self.study.pk).update(n_waiting=0, budget_total=2)
        report(self.running, [0.5])
        complete_trial(trial_id=self.running.pk, fence=self.running.fence)
        assert Study.objects.get(pk=self.study.pk).state == "FINISHED"


@pytest.fixture
def world(alice: User, admin: User) -> World:
    study = make_study(alice, name="wide search", started=True, workload="tiny")
    failed = make_running(study)
    fail_trial(trial_id=failed.pk, fence=failed.fence, reason_code="code_error", reason="it broke")
    slot = make_slot(slots=2)
    running = make_running(study, slot)
    enqueue_trial(study_id=study.pk, actor=alice, params={"lr": 0.01, "optimizer": "adamw"})
    return World(alice, admin, study, failed, running, slot)


def picture() -> dict[str, object]:
    """Everything that a second press could change."""
    return {
        "events": list(AuditEvent.objects.values_list("pk", "verb")),
        "studies": list(Study.objects.values_list("pk", "state", "version", "budget_total")),
        "trials": list(Trial.objects.values_list("pk", "state", "fence", "reason", "excluded_at", "slot")),
        "attempts": list(Attempt.objects.values_list("pk", "ended", "outcome")),
        "hosts": list(Host.objects.values_list("pk", "draining", "evacuating", "drained_by")),
        "slots": list(Slot.objects.values_list("pk", "enabled")),
    }


def said(answer: HttpResponse) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


def nothing(world: World) -> None:
    """The world as it is."""


Address = Callable[[World], str]
CONTROLS: dict[str, tuple[Callable[[World], None], Address, dict[str, str], str]] = {
    "pause": (nothing, lambda w: f"{w.address}/pause/", {}, "paused"),
    "resume": (World.pause, lambda w: f"{w.address}/resume/", {}, "resumed"),
    "stop": (nothing, lambda w: f"{w.address}/stop/", {}, "stopped"),
    "stop a paused study": (World.pause, lambda w: f"{w.address}/stop/", {}, "stopped"),
    "cancel a running trial": (nothing, lambda w: f"/trials/{w.running.pk}/cancel/", {}, "cancelled"),
    "retry": (nothing, lambda w: f"/trials/{w.failed.pk}/retry/", {}, "retried"),
    "exclude": (nothing, lambda w: f"/trials/{w.failed.pk}/exclude/", {"reason": WHY}, "excluded"),
    "include": (World.exclude, lambda w: f"/trials/{w.failed.pk}/include/", {}, "included"),
    "extend": (nothing, lambda w: f"{w.address}/extend/", {"n_trials": "30", "parallel": "4"}, "extended"),
    "drain": (nothing, lambda w: f"{w.host}/drain/", {"now": ""}, "drained"),
    "drain now": (nothing, lambda w: f"{w.host}/drain/", {"now": "1"}, "drained"),
    "drain now after drain": (World.drain, lambda w: f"{w.host}/drain/", {"now": "1"}, "drained"),
    "undrain": (World.drain, lambda w: f"{w.host}/undrain/", {}, "undrained"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_second_press_changes_nothing_and_answers_the_same(world: World, name: str) -> None:
    prepare, address, form, verb = CONTROLS[name]
    prepare(world)
    browser = browser_of(world.admin if world.host in address(world) else world.owner)
    before = AuditEvent.objects.count()
    first = browser.post(address(world), form, follow=True)
    after = picture()
    events = list(AuditEvent.objects.order_by("pk")[before:].values_list("verb", flat=True))
    assert events == [verb]
    second = browser.post(address(world), form, follow=True)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.redirect_chain == first.redirect_chain
    assert said(second) == said(first)
    assert [level for level, _ in said(first)] == ["success"]
    assert picture() == after


def test_cancelling_what_has_ended_says_so_twice(world: World) -> None:
    browser, before = browser_of(world.owner), picture()
    for _ in range(2):
        answer = browser.post(f"/trials/{world.failed.pk}/cancel/", follow=True)
        assert said(answer) == [("info", "Trial 0 had ended already.")]
    assert picture() == before


def test_stopping_what_has_just_finished_says_so(world: World) -> None:
    world.finish()
    browser, before = browser_of(world.owner), picture()
    for _ in range(2):
        answer = browser.post(f"{world.address}/stop/", follow=True)
        assert said(answer) == [("info", "The study had finished already.")]
    assert picture() == before


def test_a_drain_that_is_under_way_now_is_not_told_as_a_slow_one(world: World) -> None:
    world.drain_now()
    answer = browser_of(world.admin).post(f"{world.host}/drain/", {"now": ""}, follow=True)
    assert "go back to waiting" in said(answer)[0][1]
    assert Host.objects.get().evacuating
