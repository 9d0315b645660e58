"""`diagnose.mimicry`: are made records like the real ones, and not copies of them?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import pyarrow.compute as pc

from ..core.errors import InputError
from ..core.estimates import by_resampling, mean
from ..core.registry import register
from ..core.row import answer_text, flat
from ..core.stage import Context, Sink
from .measures import Measure, measure, plain
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame

DRAWS: Final = 500
_LIKENESS: Final = ("mimic_cosine", "mimic_overlap", "mimic_run", "mimic_length_ratio")


@final
@register("diagnose.mimicry")
class Mimicry(Sink):
    """Likeness, copying and how lengths and marks of made records follow those of the real ones.

    Lengths and marks should correlate: that is fidelity. Overlap, shared runs and the nearest records should
    stay small: that is privacy. Marks are compared where the made record has been scored. SAM, 2025.
    """

    reads = ("chosen", *_LIKENESS, "{mark}?", "{score}?")
    paper = "SAM one-to-one mimicry (SCALEFeedback), 2025 (intervals: house)"

    mark: str | None = None
    """Column with the real record's mark, a number; null = marks are not compared."""
    score: str = "chosen_judge_score"
    """Column with a score of the made record on the scale of the marks or any other."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, personal_data (finds taken out of the real records), measures."""
        absent = [name for name in ("chosen", *_LIKENESS) if name not in rows.names]
        if absent:
            raise InputError(f"no column {absent[0]}", place=self.name, hint="synth.mimic writes it")
        more = [name for name in (self.mark, self.score, "personal_data_found") if name and name in rows.names]
        table = rows.table(["chosen", *_LIKENESS, *more])
        found = {name: floats(table[name]) for name in (*_LIKENESS, *more)}
        texts = pc.fill_null(answer_text(flat(table["chosen"])), "")
        made = floats(pc.count_substring_regex(texts, r"\S+"))
        lines = [
            measure("likeness in topic, mean cosine", mean(found["mimic_cosine"])),
            plain("likeness in topic, the nearest record", _most(found["mimic_cosine"])),
            measure("shared n-grams, mean share", mean(found["mimic_overlap"])),
            plain("longest shared run of words", _most(found["mimic_run"]), "look at it where it is long"),
            self._follows("lengths follow the real ones (r)", made, made / found["mimic_length_ratio"], ctx.seed),
        ]
        if self.mark in found and self.score in found:
            lines.append(
                self._follows("marks follow the real ones (r)", found[self.score], found[str(self.mark)], ctx.seed)
            )
        personal = found.get("personal_data_found", np.empty(0))
        return {"rows": table.num_rows, "personal_data": int(np.nansum(personal)), "measures": lines}

    def _follows(self, name: str, made: np.ndarray, real: np.ndarray, seed: int) -> Measure:
        """Pearson's correlation with a bootstrap interval over records."""
        known = np.flatnonzero(np.isfinite(made) & np.isfinite(real))
        rng = np.random.default_rng(seed)
        draws = [known[rng.integers(len(known), size=len(known))] for _ in range(DRAWS)] if len(known) else []
        values = np.array([correlation(made[rows], real[rows]) for rows in draws])
        return measure(name, by_resampling(correlation(made[known], real[known]), values, len(known)))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r in [-1, 1]; NaN with fewer than three values or where one side is constant."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _most(values: np.ndarray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")
