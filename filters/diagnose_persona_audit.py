"""`diagnose.persona_audit`: does telling a judge who it is make it better, and does idle detail harm it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from ..core.estimates import Estimate, by_resampling, mean, share_of
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .judged import correct, said
from .measures import Measure, leaning, measure
from .reasons import codes, floats

if TYPE_CHECKING:
    from ..core.frame import Frame

DRAWS = 500


@final
@register("diagnose.persona_audit")
class PersonaAudit(Sink):
    """Accuracy of a judge under no persona, an expert's and irrelevant ones, on the same items.

    Advantage is expert less none; robustness the worst irrelevant persona less none; fidelity the
    rank correlation of accuracy with the level of expertise, where a column tells it. Differences
    are taken item by item.
    """

    reads = ("{item}", "{persona}", "{column}", "{human}?", "gold?", "{expertise}?")
    paper = "Principled Personas, 2025"

    persona: str = "persona"
    """Column that names the persona a row was judged under."""
    none: str = "none"
    """The name of no persona."""
    expert: str = "expert"
    """The name of the expert."""
    irrelevant: tuple[str, ...] = ()
    """Names of personas whose detail should not matter."""
    expertise: str | None = None
    """Column with the level of expertise of a row's persona; null = fidelity is not measured."""
    column: str = "judge_p"
    """The judge's chance that chosen is better."""
    human: str | None = None
    """Column of human verdicts; null = `gold` where rows have it, else chosen is right."""
    item: str = "prompt_hash"
    """Column that names the item, the same under every persona."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, measures (accuracy by persona, advantage, robustness, fidelity)."""
        label = self.human or "gold"
        there = [name for name in (label, self.expertise) if name is not None and name in rows.names]
        table = rows.table([self.item, self.persona, self.column, *there])
        human = said(table[label], label) if label in there else np.ones(table.num_rows)
        right, items = correct(floats(flat(table[self.column])), human), codes(table[self.item])
        personas = np.array(flat(table[self.persona]).cast(pa.string()).to_pylist(), dtype=object)
        for name in (self.none, self.expert, *self.irrelevant):
            if name not in personas:
                known = sorted({str(persona) for persona in personas})
                raise InputError(f"no row was judged as {name}", place=self.name, hint=did_you_mean(name, known))
        gains = {name: gain(right, items, personas == name, personas == self.none) for name in self._compared()}
        lines = [measure(f"accuracy as {name}", share_of(right[personas == name])) for name in (self.none, *gains)]
        advantage = gains[self.expert]
        lines.append(
            measure("advantage of the expert", advantage, leaning(advantage, 0, "helps", "harms", "no effect"))
        )
        worst = min((gains[name] for name in self.irrelevant), key=lambda found: found.value, default=None)
        if worst is not None:
            lines.append(measure("robustness: the worst irrelevant persona", worst, "0 = idle detail does no harm"))
        if self.expertise is not None and self.expertise in there:
            lines.append(_fidelity(right, floats(flat(table[self.expertise])), ctx.seed))
        return {"rows": table.num_rows, "measures": lines}

    def _compared(self) -> tuple[str, ...]:
        return (self.expert, *self.irrelevant)


def gain(right: np.ndarray, items: np.ndarray, ours: np.ndarray, base: np.ndarray) -> Estimate:
    """Mean difference of accuracy, item by item, over items judged under both."""
    size = int(items.max(initial=-1)) + 1
    means = []
    for rows in (ours & np.isfinite(right), base & np.isfinite(right)):
        counts = np.bincount(items[rows], minlength=size)
        with np.errstate(invalid="ignore"):
            means.append(np.bincount(items[rows], right[rows], size) / np.where(counts > 0, counts, np.nan))
    return mean(means[0] - means[1])


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's ρ in [-1, 1] with mid-ranks; NaN where one side is constant."""
    ranks = []
    for values in (a, b):
        _, member, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[member])
    if any(side.std() == 0 for side in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _fidelity(right: np.ndarray, level: np.ndarray, seed: int) -> Measure:
    """Rank correlation of the levels with their accuracy, rows drawn anew for the interval."""
    known = np.flatnonzero(np.isfinite(right) & np.isfinite(level))
    rng = np.random.default_rng(seed)

    def of(rows: np.ndarray) -> float:
        levels, member = np.unique(level[rows], return_inverse=True)
        return rank_correlation(levels, np.bincount(member, right[rows]) / np.bincount(member))

    draws = np.array([of(rng.choice(known, len(known))) for _ in range(DRAWS)]) if len(known) else np.empty(0)
    found = by_resampling(of(known) if len(known) else float("nan"), draws, len(known))
    return measure("fidelity: accuracy follows expertise (ρ)", found, leaning(found, 0, "follows", "goes against"))
