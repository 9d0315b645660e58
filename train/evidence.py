"""`diagnose.evidence`: is the set that was kept better to learn from than what was there before?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import StageOf
from ..core.errors import RunError
from ..core.registry import register
from ..core.stage import Context, Sink
from ..models.heads import fit_head
from ..models.pair_table import LABEL_COLUMNS, PAIR_COLUMNS
from .intervals import Interval, accuracy_interval, difference_interval
from .pair_sample import Sample, gather, usable

if TYPE_CHECKING:
    from ..core.frame import Frame

HELD_OUT: Final = "held out for evidence"
ALL, KEPT, RANDOM = "all rows", "kept", "random, same size"
MOST_GROUPS: Final = 20
"""Groups that are told apart, the largest first."""
LEAST_ROWS: Final = 20
"""Held-out rows without which a group is not told apart: its interval would span nearly everything."""


@final
@register("diagnose.evidence")
class Evidence(Sink):
    """Accuracy, on prompts held out beforehand, of one head fitted on three sets of equal origin.

    All rows, the rows kept, and as many rows drawn at random: only the last is a fair rival of the
    kept. Measured by `gold` where the held-out rows have it, else by their own labels.
    """

    reads = (*PAIR_COLUMNS, *LABEL_COLUMNS, "prompt_hash", "{by}?", "gold?")
    paper = "house; the head is Bradley and Terry, 1952, the interval Wilson, 1927, over prompts"

    against: Annotated[str, StageOf()]
    """The split.heldout stage that set prompts aside; the rows after it are `all rows`."""
    seeds: Annotated[int, Field(ge=2, le=100)] = 5
    """How many random sets of the kept one's size are drawn."""
    by: str | None = "source"
    """Column whose values are also measured apart, where there is one."""
    l2: Annotated[float, Field(gt=0)] = 1.0
    """Strength of the head's ridge: a priori a margin has variance 1 / l2 (logits squared)."""
    most: Annotated[int, Field(ge=100)] = 50_000
    """Largest number of rows of a set; beyond it all sets are sampled in the same proportion."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: label, heldout, rows (source, set, rows, accuracy, low, high, seeds), caveat,
        kept_minus_random (difference, low, high); accuracies in [0, 1] with 95 % intervals."""
        before = ctx.view.frame(self.against)
        rng = np.random.default_rng([ctx.seed, self.seeds])
        total, kept = usable(before), usable(rows)
        out = self._out(ctx)
        if not out.any() or not len(kept):
            return _nothing("no comparable pair was kept" if out.any() else "no comparable row was held out")
        held = self._heldout(ctx, out, rng)
        share = min(1.0, self.most / len(total))
        size = min(max(round(len(kept) * share), 1), len(total), self.most)
        trial = _Trial(held, self.l2, ctx)
        ours = trial.measured(KEPT, [gather(rows, _drawn(kept, size, rng), self.by)])
        everything = gather(before, _drawn(total, self.most, rng), self.by)
        draws = (everything.subset(_drawn(np.arange(len(everything)), size, rng)) for _ in range(self.seeds))
        rivals = [trial.measured(ALL, [everything]), ours, trial.measured(RANDOM, draws)]
        return self._facts(held, rivals, share)

    def _out(self, ctx: Context) -> np.ndarray:
        """bool [rows into `against`]: comparable, and held out by it."""
        frame, ledger = ctx.view.input_frame(self.against), ctx.view.dropped(self.against)
        ledger = ledger.filter(pc.equal(ledger["reason"].cast(pa.string()), HELD_OUT))
        out = np.isin(np.flatnonzero(frame.alive()), ledger["pos"].to_numpy())
        sound = np.zeros(len(out), bool)
        sound[usable(frame, out)] = True
        return sound

    def _heldout(self, ctx: Context, out: np.ndarray, rng: np.random.Generator) -> Sample:
        """The held-out pairs; where some have a gold label, only those."""
        frame = ctx.view.input_frame(self.against)
        held = gather(frame, _drawn(np.flatnonzero(out), self.most, rng), self.by, gold=True)
        known = np.flatnonzero(np.isfinite(held.gold))
        return held.subset(known) if len(known) else held

    def _facts(self, held: Sample, measured: list[_Measured], share: float) -> dict[str, Any]:
        groups: list[tuple[str | None, np.ndarray]] = [(None, np.arange(len(held)))]
        names, counts = np.unique(held.groups, return_counts=True)
        shown = names[np.argsort(-counts, kind="stable")][: min(MOST_GROUPS, int((counts >= LEAST_ROWS).sum()))]
        if len(names) > 1:
            groups += [(str(name), np.flatnonzero(held.groups == name)) for name in sorted(shown)]
        _, kept, random = measured
        gap = difference_interval(kept.correct[0], random.correct, held.prompts)
        return {
            "label": "gold" if _has_gold(held) else "noisy",
            "heldout": len(held),
            "rows": [m.row(name, at, held.prompts) for name, at in groups for m in measured],
            "caveat": _caveat(held, share, self.most, len(names) - len(shown) if len(names) > 1 else 0),
            "kept_minus_random": _rounded("difference", gap),
        }


@final
@dataclass(frozen=True)
class _Measured:
    """One set: the group of every row and `correct` [seeds, held-out rows] in [0, 1]."""

    name: str
    groups: list[np.ndarray]
    correct: np.ndarray

    def row(self, group: str | None, at: np.ndarray, prompts: np.ndarray) -> dict[str, Any]:
        """The line of the facts for one group's held-out rows, or for all."""
        sizes = [len(g) if group is None else int((g == group).sum()) for g in self.groups]
        found = accuracy_interval(self.correct[:, at], prompts[at])
        head = {"source": group or "all", "set": self.name, "rows": round(float(np.mean(sizes)))}
        return head | _rounded("accuracy", found) | {"seeds": len(self.correct)}


@final
@dataclass(frozen=True)
class _Trial:
    """Fits the same head on any sample and measures it on the held-out rows."""

    held: Sample
    l2: float
    ctx: Context

    def measured(self, name: str, samples: Iterable[Sample]) -> _Measured:
        """A head for each of the samples, one held in memory at a time."""
        groups, correct = [], []
        for sample in samples:
            groups.append(sample.groups)
            correct.append(self._correct(sample))
        return _Measured(name, groups, np.array(correct))

    def _correct(self, sample: Sample) -> np.ndarray:
        """1, 0, or ½ for a margin of 0, for each held-out row [n]."""
        if self.ctx.stop_asked():
            raise RunError("interrupted while evidence was gathered", place="diagnose.evidence")
        delta, weights, _ = sample.to_fit()
        margin = fit_head(delta, l2=self.l2, weights=weights).margin(self.held.delta)
        return np.where(margin == 0, 0.5, (margin > 0) == _truth(self.held))


def _nothing(why: str) -> dict[str, Any]:
    """Facts of a set too small to measure: the run goes on, and says so."""
    caveat = f"Nothing was measured: {why}. Give more rows, or a larger fraction to split.heldout."
    return {"label": "noisy", "heldout": 0, "rows": [], "caveat": caveat}


def _truth(held: Sample) -> np.ndarray:
    return held.gold == 1 if _has_gold(held) else held.weight >= held.counter


def _has_gold(held: Sample) -> bool:
    return bool(np.isfinite(held.gold).all())


def _drawn(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most `most` of these row numbers, in order."""
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _caveat(held: Sample, share: float, most: int, hidden: int) -> str:
    said = [
        "Measured by gold labels of the held-out rows, which no stage before saw."
        if _has_gold(held)
        else "Measured by the held-out rows' own labels: if a share r of them is reversed no head can pass"
        " 1 - r, and differences shrink by the factor 1 - 2r."
    ]
    said.append("The head is linear on text vectors and surface features, a proxy for a reward model.")
    if share < 1:
        said.append(f"Sets were sampled at {share:.3g} of their rows (most: {most}).")
    if hidden:
        least = f"{LEAST_ROWS} held-out rows are needed, and at most {MOST_GROUPS} are shown"
        said.append(f"{hidden} sources are not told apart: {least}.")
    return " ".join(said)


def _rounded(name: str, found: Interval) -> dict[str, float]:
    return {name: round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}
