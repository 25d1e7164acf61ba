"""The plan of a study that is not created yet: what will be run, how long it takes, and what the lint has to know."""

from typing import Any

from tuning.engine import registry
from tuning.selectors.hosts import hosts_overview
from tuning.selectors.preflights import seconds_per_epoch
from tuning.selectors.studies import study_facts, study_list
from tuning.services.spaces import parse_space
from tuning.web.errors import SignedInRequest
from tuning.web.forms.editing import whole_number
from tuning.web.forms.sources import SourceRows
from tuning.web.forms.study import SHARED, StudyForm
from tuning.web.forms.time import seconds_of

TIMES = ("study_seconds", "device_seconds")


def lint_plan(form: StudyForm) -> dict[str, Any]:
    """What the lint has to know of the study beside its space."""
    return {
        "budget": whole_number(form["n_trials"].value()),
        "sampler": form["sampler"].value() or "auto",
        "scheduler": form["scheduler"].value() or "none",
        "metric": (form["metric"].value() or "").strip(),
    }


def plan_of(
    request: SignedInRequest, workload: Any, form: StudyForm, space: dict[str, Any] | None, sources: SourceRows
) -> dict[str, Any]:
    """What will be run, as far as it can be said: trials, epochs, slots, and the time that earlier studies suggest."""
    trials, parallel = whole_number(form["n_trials"].value()), whole_number(form["parallel"].value())
    epochs = whole_number(form["max_resource"].value()) if "max_resource" in form.fields else None
    plan: dict[str, Any] = {
        "here": workload is not None,
        "unit": (workload or {}).get("resource_unit") or "steps",
        "parallel": parallel,
        "epochs": epochs,
        "sampler": form["sampler"].value() or "auto",
        "grid": None,
        "learns": sources.learnt,
    }
    if space is not None:
        try:
            sampler = registry.make_sampler(plan["sampler"], {}, budget=trials, parallel=parallel or 1)
            engine_space = parse_space(space)
            sampler.check(engine_space)
            plan["grid"] = sampler.plan_size(engine_space)
        except ValueError as error:  # the sampler's complaint about single parameters, or about its own settings
            plan["issues"] = getattr(error, "errors", [])
            plan["problem"] = f"{plan['sampler'].capitalize()} cannot search this space yet: see the marked parameters."
            if not plan["issues"]:
                plan["problem"] = str(error)
    if sources.chosen and not registry.samplers()[plan["sampler"]].learns:
        plan["problem"] = f"{plan['sampler'].capitalize()} does not learn from trials: choose another sampler."
    if plan["grid"] is not None:
        trials = min(trials, plan["grid"]) if trials else plan["grid"]
    hosts = hosts_overview()
    plan["slots"] = sum(len(device.slots) for host in hosts if host.alive for device in host.devices)
    at_once = min(parallel or 1, plan["slots"] or 1)
    plan |= _pace(request, workload, epochs) if workload and epochs else {}
    plan |= _schedule(form, trials, epochs)
    if "each" in plan and plan["total"]:
        plan["seconds"] = plan["each"] / epochs * plan["total"] / at_once
    return plan | _cut(form, plan, at_once)


def _schedule(form: StudyForm, trials: int | None, epochs: int | None) -> dict[str, Any]:
    """What the chosen scheduler makes of so many trials and steps: brackets, their rungs, the epochs in all.

    "trials" None where neither is said; "about" where it is what the steps pay by an expectation.
    """
    steps = whole_number(form["total_resource"].value()) if "total_resource" in form.fields else None
    try:
        name, options = form.schedule()
        shared = {key: options.pop(key) for key in SHARED if key in options}
        scheduler = registry.make_scheduler(name, options, max_resource=epochs, **shared)
        paid = scheduler.trials_for(steps) if steps and epochs else None
        by_steps = paid is not None and (trials is None or paid < trials)
        trials = paid if by_steps else trials
        plan = scheduler.plan(trials or None)
    except ValueError as error:  # a setting that the form marks when it is sent
        return {"trials": trials, "total": None, "problem": str(error)}
    brackets = [
        {"rungs": bracket.rungs, "most": max(size for size, _ in bracket.rungs)}
        for bracket in plan.brackets
        if len(bracket.rungs) > 1 or len(plan.brackets) > 1
    ]
    exact = plan.exact and not (by_steps and not scheduler.pauses)
    few = f"{steps:,} in all do not pay a single trial, which takes {epochs:,}." if trials == 0 else ""
    return {
        "trials": trials,
        "about": by_steps and not exact,
        "exact": exact,
        "brackets": brackets,
        "steps": steps,
        "total": plan.resource if trials else None,
        **({"problem": few} if few else {}),
    }


def _pace(request: SignedInRequest, workload: dict[str, Any], epochs: int) -> dict[str, Any]:
    """The time of a whole trial, from the newest study of the same workload whose trials all ran to their ends.

    Where there is none, from the epochs that its checks have trained.
    """
    name = workload["name"]
    for study in study_list(request.user, search=name, per_page=10).rows:
        if study.workload != name or not study.max_resource or not study.n_complete or study.scheduler != "none":
            continue
        seconds = study_facts(study).seconds_per_trial
        if seconds:
            return {"each": seconds / study.max_resource * epochs, "after": study}
    measured = seconds_per_epoch(name, workload.get("digest", ""))
    return {"each": measured * epochs, "checked": True} if measured else {}


def _cut(form: StudyForm, plan: dict[str, Any], at_once: int) -> dict[str, Any]:
    """Where a limit of time ends the study before its plan is done, as far as that can be said."""
    given = {name: seconds_of(str(form[name].value() or "")) for name in TIMES if name in form.fields}
    spans = {name: seconds / (at_once if name == "device_seconds" else 1) for name, seconds in given.items() if seconds}
    if not spans:
        return {}
    ends = min(spans.values())
    if "seconds" in plan and plan["seconds"] > ends:
        return {"cut": ends, "seconds": ends, "share": max(1, round(100 * ends / plan["seconds"]))}
    if "seconds" not in plan:
        whole = int(ends * at_once / plan["each"]) if "each" in plan and not plan["trials"] else 0
        return {"cut": ends, **({"seconds": ends} if "each" in plan else {}), "whole": whole}
    return {}
