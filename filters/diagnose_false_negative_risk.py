"""`diagnose.false_negative_risk`: how likely a negative drawn at random is no negative at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.errors import InputError
from ..core.estimates import NOTHING, Estimate, mean, share_of
from ..core.knn import nearest
from ..core.louvain import communities
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .measures import Measure, measure, plain
from .reasons import numpy_of
from .vectors import present_vectors

if TYPE_CHECKING:
    from ..core.frame import Frame


@final
@register("diagnose.false_negative_risk")
class DiagnoseFalseNegativeRisk(Sink):
    """Count draws of `synth.random_others` whose prompt is too much like the row's own, and say what k is safe.

    Beside the count stands what latent classes predict: prompts are put into classes by their
    neighbours (Louvain), and with class shares p_c a draw collides with chance Σ p_c², one of k with
    1 - (1 - Σ p_c²)^k. For N equal classes that is 1/N.
    """

    reads = ("other_similarity", "prompt_hash", "{vector}?")
    paper = (
        "A Theoretical Analysis of Contrastive Unsupervised Representation Learning, arXiv 1902.09229; classes: house"
    )

    vector: str = "prompt_vector"
    """Column of vectors of the prompts; without it there are no latent classes."""
    least: Annotated[float, Field(ge=-1, le=1)] = 0.6
    """A draw whose prompt has a larger cosine collides, and two prompts are neighbours from there on."""
    bearable: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Largest chance that one of k draws collides at which k counts as safe."""
    neighbours: Annotated[int, Field(ge=1, le=64)] = 10
    """Nearest prompts each prompt may share a class with."""
    prompts: Annotated[int, Field(ge=2, le=50_000)] = 5000
    """Most different prompts that are put into classes, drawn at random."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, k, k_safe (null = any), a warning where k is larger, left_out at `least`, measures."""
        column = flat(rows.table(["other_similarity"])["other_similarity"])
        collides = collisions(column, self.least)
        each, any_of, k = by_row(collides)
        if not k:
            hint = "synth.random_others draws others; embed.text before it gives their likeness"
            raise InputError("no row has a draw with a known likeness", place=self.name, hint=hint)
        classes, chance = self._classes(rows, ctx.seed)
        worst = max(each.value, chance) if classes else each.value
        lines = [
            measure("a draw collides", each, "lower is better"),
            measure(f"one of {k} draws collides", any_of, "lower is better"),
            *(predicted(classes, chance, k) if classes else ()),
        ]
        left_out = int(np.nansum(collides[1]))
        safe = safe_k(worst, self.bearable)
        many = safe is not None and k > safe
        warning = f"k = {k} is too large: up to {safe}, one draw of a row collides with a chance of {self.bearable:g}"
        return {
            "rows": len(rows), "k": k, "k_safe": safe, "warning": warning if many else "", "left_out": left_out,
            "measures": lines,
        }  # fmt: skip

    def _classes(self, rows: Frame, seed: int) -> tuple[int, float]:
        """How many classes the different prompts form, and Σ p²; 0 and NaN without vectors."""
        if self.vector not in rows.names:
            return 0, float("nan")
        table = rows.table(["prompt_hash", self.vector])
        vectors, present = present_vectors(flat(table[self.vector]))
        present &= vectors.any(axis=1)
        hashes = numpy_of(table["prompt_hash"])[present]
        first = np.unique(hashes, return_index=True)[1]
        if len(first) < 2:
            return 0, float("nan")
        if len(first) > self.prompts:
            first = np.sort(np.random.default_rng(seed).choice(first, self.prompts, replace=False))
        unit = vectors[present][first]
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        return class_shares(unit, self.neighbours, self.least)


def predicted(classes: int, chance: float, k: int) -> list[Measure]:
    """What the latent classes lead one to expect."""
    return [
        plain("latent classes of prompts", classes),
        plain("classes if all were equal (1 / Σ p²)", 1 / chance if chance else float("nan")),
        plain("a draw collides, by classes", chance, "Σ p²"),
        plain(f"one of {k} draws collides, by classes", at_least_one(chance, k), "1 - (1 - Σ p²)^k"),
    ]


def collisions(column: pa.Array, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Row number [m] and collision (1, 0, or NaN without a likeness) [m] of every draw."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(column)), lengths)
    values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    return row, np.where(np.isnan(values), np.nan, values > least)


def by_row(draws: tuple[np.ndarray, np.ndarray]) -> tuple[Estimate, Estimate, int]:
    """Share of draws that collide (rows are the observations), share of rows with one that does, and k."""
    row, hit = draws
    row, hit = row[~np.isnan(hit)], hit[~np.isnan(hit)]
    if not len(row):
        return NOTHING, NOTHING, 0
    counts = np.bincount(row)
    there = counts > 0
    hits = np.bincount(row, hit)[there]
    return mean(hits / counts[there]), share_of(hits > 0), int(counts.max())


def class_shares(unit: np.ndarray, neighbours: int, least: float) -> tuple[int, float]:
    """Classes of unit vectors [n, d] by Louvain on their neighbours of cosine `least` or more, and Σ p².

    Σ p² is estimated without bias, as the share of pairs of different vectors that are of one class.
    """
    found = nearest(unit, min(neighbours, len(unit) - 1))
    near = 1 - found.distances.astype(np.float64) ** 2 / 2 >= least
    at = np.repeat(np.arange(len(unit)), near.sum(axis=1))
    to = found.indices[near]
    edges = sorted({(min(a, b), max(a, b)) for a, b in zip(at.tolist(), to.tolist(), strict=True)})
    sizes = np.bincount(communities(len(unit), edges)).astype(np.float64)
    return len(sizes), float((sizes * (sizes - 1)).sum() / (len(unit) * (len(unit) - 1)))


def at_least_one(chance: float, k: int) -> float:
    """1 - (1 - p)^k: the chance that one of k draws collides."""
    return 1 - (1 - chance) ** k


def safe_k(chance: float, bearable: float) -> int | None:
    """The largest k with at_least_one(chance, k) ≤ bearable; None = any."""
    if not chance > 0:
        return None
    return int(math.floor(math.log1p(-bearable) / math.log1p(-chance) + 1e-9)) if chance < 1 else 0
