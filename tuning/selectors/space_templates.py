"""The templates of search spaces that pages and the interface offer."""

from tuning.analysis.templates import Template, space_templates
from tuning.selectors.errors import NotFound
from tuning.selectors.workloads import split_of

__all__ = ["Template", "template_named", "templates_for"]


def templates_for(workload: str = "", parameters: int | None = None) -> tuple[Template, ...]:
    """All templates, regularisation by the counted examples of the workload and the parameters that are allowed."""
    split = split_of(workload)
    examples = split.sizes.get("train") if split is not None else None
    return space_templates(examples, parameters)


def template_named(name: str, workload: str = "", parameters: int | None = None) -> Template:
    """One of them. Raises NotFound with the names that there are."""
    found = {template.name: template for template in templates_for(workload, parameters)}
    if name not in found:
        raise NotFound(f"There is no template {name!r}; there are {', '.join(found)}.")
    return found[name]
