"""`diagnose.dialogue_drift`: what becomes of a measure as the dialogue before it grows?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.estimates import NOTHING, Estimate, around, mean
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .measures import Measure, leaning, measure, number
from .reasons import codes, floats

if TYPE_CHECKING:
    from ..core.frame import Frame


@final
@register("diagnose.dialogue_drift")
class DialogueDrift(Sink):
    """Slope of each measure over the rounds of dialogue before it, within the same items.

    The same items are asked after 0, 10, 25, 50 and 100 rounds (or any others); each item is its own
    base line, and the rows of one item hang together in the interval.
    """

    reads = ("{item}", "{rounds}", "{metrics}")
    paper = "house; rounds as in Persistent Personas, 2025"

    metrics: tuple[str, ...] = Field(min_length=1)
    """Columns of numbers that are followed: fidelity, following of instructions, safety, …"""
    rounds: str = "rounds"
    """Column with the number of rounds before the item."""
    item: str = "source_id"
    """Column that names the item; every item should be asked after every number of rounds."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, items, levels (metric → rounds → mean), measures (slope a hundred rounds)."""
        table = rows.table([self.item, self.rounds, *self.metrics])
        items, rounds = codes(table[self.item]), floats(flat(table[self.rounds]))
        levels: dict[str, dict[str, float | None]] = {}
        measures: list[Measure] = []
        for name in self.metrics:
            values = floats(flat(table[name]))
            known = np.isfinite(values) & np.isfinite(rounds)
            if len(np.unique(rounds[known])) < 2:
                hint = "ask the same items after several numbers of rounds"
                raise InputError(f"{name} was measured at one number of rounds", place=self.name, hint=hint)
            slope = drift(values[known], rounds[known], items[known])
            measures.append(measure(f"{name}, a hundred rounds", slope, leaning(slope, 0, "rises", "falls", "holds")))
            levels[name] = {
                f"{at:g}": number(mean(values[known & (rounds == at)]).value) for at in np.unique(rounds[known])
            }
        return {"rows": table.num_rows, "items": int(items.max(initial=-1)) + 1, "levels": levels, "measures": measures}


def drift(values: np.ndarray, rounds: np.ndarray, items: np.ndarray) -> Estimate:
    """Slope of values [n] a hundred rounds, item means taken out, errors clustered by item (Liang and Zeger, 1986)."""
    _, item = np.unique(items, return_inverse=True)
    counts = np.bincount(item)
    x, y = rounds / 100, values
    x, y = x - (np.bincount(item, x) / counts)[item], y - (np.bincount(item, y) / counts)[item]
    size = float(x @ x)
    if size <= 0:
        return NOTHING
    slope = float(x @ y) / size
    pulls = np.bincount(item, x * (y - slope * x))
    groups = int((np.bincount(item, x * x) > 0).sum())
    grow = groups / (groups - 1) if groups > 1 else float("nan")
    return around(slope, grow * float(pulls @ pulls) / size**2, len(values))
