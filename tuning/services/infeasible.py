"""A study whose configurations are all infeasible is paused: what costs no budget would else never end.

The limit and the smallest model that was seen stand in its reason, so that a person knows which of the two to change.
"""

from tuning.constraints import NAMES, count_words, limit_text
from tuning.engine.outcome import finds_none
from tuning.models import Study, Trial
from tuning.services.lifecycle import pause_study


def pause_if_infeasible(study: Study) -> bool:
    """RUNNING -> PAUSED of a locked study that has found infeasible configurations alone; whether it is so."""
    in_a_row = study.infeasible_in_a_row
    if study.state != Study.State.RUNNING or not finds_none(in_a_row, stepped=False):
        return False
    if not finds_none(in_a_row, Trial.objects.filter(study=study, resource_done__gt=0).exists()):
        return False
    pause_study(study_id=study.pk, actor=None, reason=_words(study))
    study.refresh_from_db()
    return True


def _words(study: Study) -> str:
    which = "first" if study.infeasible_in_a_row == study.n_infeasible else "last"
    said = f"the {which} {study.infeasible_in_a_row:,} configurations are infeasible"
    rows = list(
        Trial.objects.filter(study=study, infeasible=True)
        .order_by("-finish_seq")
        .values_list("number", "facts")[: study.infeasible_in_a_row]
    )
    counted = [(number, facts["footprint"]) for number, facts in rows if "footprint" in facts]
    found = {}
    for name, limit in study.constraints.items():
        sizes = [(footprint[name], number) for number, footprint in counted if footprint.get(name) is not None]
        if sizes:
            found[name] = (*min(sizes), limit)
    # Where each limit alone is met by some, no configuration meets them together: then all are told.
    missed = [name for name, (smallest, _, limit) in found.items() if smallest > limit] or list(found)
    parts = [
        f"the smallest has {count_words(name, found[name][0])} (trial {found[name][1]}), and the limit is "
        f"{limit_text(name, found[name][2])}"
        for name in NAMES
        if name in missed
    ]
    if not parts:
        return f"{said}, by what the script told of them. Change the ranges of the search space, then resume the study"
    return (
        f"{said}: {'; '.join(parts)}. Raise the limit in the setup, or change the ranges so that smaller models are in "
        "them, then resume the study"
    )
