"""FiFA: the pairs of most importance by margin, prompt quality and prompt diversity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.knn import kth_distance
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import first_reasons, floats, rank_within
from .vectors import present_vectors

NEAREST: Final = 1e-6
"""Smallest distance told apart: its logarithm bounds what a repeated prompt costs."""
Rule = tuple[np.ndarray, str]


@final
@register("select.fifa")
class Fifa(Select):
    """Keep the pairs of largest importance I = m + alpha · (q + gamma · log d).

    m is the pair's margin, q the quality of its prompt (0 without a column), d the Euclidean
    distance of its prompt to the k-th nearest other prompt of the whole pool; each is a robust
    z-score over the pool, (x - median) / (1.4826 · MAD), before it is summed. Equal importance
    keeps source order. The idea is the paper's; its constants are not published, so the scaling and
    the defaults are ours. Measure what is kept with another scorer than the margin's.
    """

    paper = "FiFA, arXiv 2410.10166 (constants and scaling: house)"

    keep: Annotated[int, Field(ge=1)] = 5000
    """Pairs kept."""
    fraction: Annotated[float | None, Field(gt=0, le=1)] = None
    """Instead of `keep`: share of the pool kept, in (0, 1]; the paper's sets are about 0.005."""
    margin: str = "margin"
    """Column of margins (chosen minus rejected, any unit)."""
    score: str | None = None
    """Instead of a column: chosen_<score> minus rejected_<score>."""
    quality: str | None = None
    """Column of prompt quality, higher is better."""
    vector: str = "prompt_vector"
    """Column of prompt vectors; not read when alpha or gamma is 0."""
    alpha: Annotated[float, Field(ge=0)] = 0.5
    """Weight of quality and diversity against the margin."""
    gamma: Annotated[float, Field(ge=0)] = 0.5
    """Weight of diversity against quality."""
    k: Annotated[int, Field(ge=1)] = 5
    """Which neighbour's distance counts."""
    signed_margin: bool = False
    """Drop pairs whose scorer disagrees with the label (margin below 0) instead of taking its size."""
    margin_cap: Annotated[float | None, Field(gt=0, le=1)] = None
    """Quantile at which larger margins are cut to size, in (0, 1]: very wide pairs teach little."""
    max_per_prompt: Annotated[int | None, Field(ge=1)] = None
    """Pairs kept a prompt at most."""

    def faults(self) -> Sequence[str]:
        found = []
        if self.fraction is not None and "keep" in self.model_fields_set:
            found.append("keep and fraction are two ways to say how many: give one")
        if self.score is not None and self.margin != "margin":
            found.append("margin and score are two ways to name the margin: give one")
        return found

    @property
    def _margins(self) -> tuple[str, ...]:
        return (self.margin,) if self.score is None else (f"chosen_{self.score}", f"rejected_{self.score}")

    def columns_read(self) -> tuple[str, ...]:
        names = ["prompt_hash", *self._margins]
        if self.quality is not None:
            names.append(self.quality)
        if self.alpha * self.gamma:
            names.append(self.vector)
        return tuple(names)

    def select(self, narrow: Narrow) -> pa.Array:
        n = len(narrow)
        sides = [floats(narrow.column(name)) for name in self._margins]
        margin = sides[0] if len(sides) == 1 else sides[0] - sides[1]
        rules: list[Rule] = [(np.isnan(margin), "no margin")]
        if self.signed_margin:
            rules.append((margin < 0, "the scorer disagrees with the label"))
        importance = self._importance(np.abs(margin), narrow, rules)
        pool = np.flatnonzero(~np.logical_or.reduce([mask for mask, _ in rules]))
        if self.max_per_prompt is not None:
            prompts = narrow.column("prompt_hash").to_numpy()[pool]
            late = np.zeros(n, bool)
            late[pool] = rank_within(prompts, importance[pool]) >= self.max_per_prompt
            rules.append((late, f"beyond the top {self.max_per_prompt} of its prompt"))
            pool = pool[~late[pool]]
        wanted = self.keep if self.fraction is None else int(np.ceil(self.fraction * n))
        minor = np.zeros(n, bool)
        minor[pool[np.argsort(-importance[pool], kind="stable")[wanted:]]] = True
        return first_reasons(n, [*rules, (minor, "not among the most important")])

    def _importance(self, margin: np.ndarray, narrow: Narrow, rules: list[Rule]) -> np.ndarray:
        """I for each row; rows without quality or vector are entered in `rules`."""
        extra = np.zeros(len(margin))
        if self.quality is not None:
            quality = floats(narrow.column(self.quality))
            rules.append((np.isnan(quality), f"no {self.quality}"))
            extra += robust_z(quality)
        if self.alpha * self.gamma:
            vectors, present = present_vectors(narrow.column(self.vector))
            rules.append((~present, f"no {self.vector}"))
            extra += self.gamma * robust_z(self._rarity(vectors, present, narrow))
        if self.margin_cap is not None and not np.isnan(margin).all():
            margin = np.minimum(margin, np.nanquantile(margin, self.margin_cap, method="lower"))
        importance: np.ndarray = robust_z(margin) + self.alpha * extra
        return importance

    def _rarity(self, vectors: np.ndarray, present: np.ndarray, narrow: Narrow) -> np.ndarray:
        rarity = np.full(len(vectors), np.nan)
        prompts = narrow.column("prompt_hash").to_numpy()
        rarity[present] = log_kth_distance(vectors[present], prompts[present], self.k)
        return rarity


def log_kth_distance(vectors: np.ndarray, prompts: np.ndarray, k: int) -> np.ndarray:
    """log of each row's distance to the k-th nearest other prompt, at least log 1e-6; float64 [n]."""
    distance = kth_distance(vectors, prompts, k).astype(np.float64)
    logs: np.ndarray = np.log(np.maximum(distance, NEAREST))
    return logs


def robust_z(values: np.ndarray) -> np.ndarray:
    """(x - median) / (1.4826 · MAD), NaN where x is NaN; in units of a normal's standard deviation.

    When more than half the values are equal the MAD is 0, and 1.2533 · the mean absolute deviation
    (a normal's standard deviation too) takes its place; equal values are all 0.
    """
    there = values[~np.isnan(values)]
    if len(there) == 0:
        return values
    middle = np.median(there)
    apart = np.abs(there - middle)
    spread = 1.4826 * np.median(apart) or 1.2533 * apart.mean() or 1.0
    scaled: np.ndarray = (values - middle) / spread
    return scaled
