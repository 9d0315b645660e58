"""rather: this, rather than that. Build, curate and export preference datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cli.api import check, load_recipe, run
    from .core.declared import Column
    from .core.errors import RatherError
    from .core.registry import model, register
    from .core.stage import Context, Drop, Fit, Gate, Map, Score, Select, Sink, Source

__version__ = "0.1.0"

_HOMES = {
    "cli.api": ("check", "load_recipe", "run"),
    "core.errors": ("RatherError",),
    "core.registry": ("model", "register"),
    "core.declared": ("Column",),
    "core.stage": ("Context", "Drop", "Fit", "Gate", "Map", "Score", "Select", "Sink", "Source"),
}
__all__ = [  # noqa: F822
    "Column", "Context", "Drop", "Fit", "Gate", "Map", "RatherError", "Score", "Select", "Sink",
    "Source", "check", "load_recipe", "model", "register", "run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Public names are imported when first asked for, so that `import rather` stays light."""
    import importlib

    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
