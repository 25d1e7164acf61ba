"""What would help where memory ran out: the same words from the trial process and from the worker that saw it die."""

from collections.abc import Mapping
from typing import Any

SIZES = ("batch", "units", "filters", "width", "hidden", "layers", "depth", "channels", "dim")


def memory_remedy(params: Mapping[str, Any]) -> str:
    """What to lower, naming the parameters of the trial that size its model or its batches."""
    sizes = [name for name in params if any(word in name.lower() for word in SIZES)]
    named = ", ".join(f"'{name}' (here {_short(params[name])})" for name in sizes)
    lower = f"Lower the upper end of the range of {named}" if sizes else "Lower the batch size or the model's size"
    return f"{lower}, or run fewer trials at once on this device."


def host_memory_remedy(params: Mapping[str, Any]) -> str:
    """The same where it was the host's memory: the slots of all its devices share it."""
    lower = memory_remedy(params).removesuffix(", or run fewer trials at once on this device.")
    return (
        f"{lower}, load less of the data at once, or let fewer slots share the host (HPWEB_SLOTS, "
        "HPWEB_TRIALS_PER_GPU)."
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else repr(value)
