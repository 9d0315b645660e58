"""A simulated judge whose accuracy, biases and faults are known, for diagnoses to recover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa
from rather.core.logit import sigmoid
from rather.core.winrate import squashed

from . import frames

WORDS = {1.0: "chosen", 0.0: "rejected", 0.5: "tie"}


@final
@dataclass(frozen=True)
class Oracle:
    """Prefers chosen with log-odds `quality` + `length` · tanh(Δlength / sd) ± `pull` of the first place.

    Before that it fails with chance `failing`, ties with chance `ties`, and with chance `first`
    takes the answer shown first without looking.
    """

    quality: float = 1.0
    length: float = 0.0
    pull: float = 0.0
    first: float = 0.0
    ties: float = 0.0
    failing: float = 0.0

    def call(self, delta: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
        """Verdicts [n]: 1 chosen, 0 rejected, ½ tie, NaN none; `side` is 1 with chosen shown first, else -1."""
        n = len(delta)
        odds = self.quality + self.length * squashed(delta) + side * self.pull
        verdicts = (rng.random(n) < sigmoid(odds)).astype(np.float64)
        verdicts[rng.random(n) < self.first] = float(side > 0)
        verdicts[rng.random(n) < self.ties] = 0.5
        verdicts[rng.random(n) < self.failing] = np.nan
        return verdicts

    def judged(self, n: int, seed: int) -> pa.Table:
        """Pairs with the columns judge.pairwise writes; chosen is truly the better; lengths are log-normal."""
        rng = np.random.default_rng(seed)
        sizes = np.maximum(rng.lognormal(3.0, 0.6, (2, n)), 1).astype(int)
        given, swapped = (self.call((sizes[0] - sizes[1]).astype(float), side, rng) for side in (1, -1))
        return as_rows(given, swapped, ["a" * k for k in sizes[0]], ["b" * k for k in sizes[1]])


def as_rows(
    given: np.ndarray, swapped: np.ndarray, chosen: list[str], rejected: list[str], **more: pa.Array
) -> pa.Table:
    """Verdicts of both orders as judged rows, one prompt each."""
    p = (given + swapped) / 2
    both = np.abs(given - swapped) == 1
    missing = np.isnan(p)
    return frames.pairs(
        [f"prompt {k}" for k in range(len(p))], chosen, rejected,
        judge_p=pa.array(p, mask=missing), judge_first=_words(given), judge_second=_words(swapped),
        judge_flip=pa.array(both, mask=missing),
        judge_p_outcome=pa.array(["unparsable" if gone else "ok" for gone in missing]), **more,
    )  # fmt: skip


def _words(verdicts: np.ndarray) -> pa.Array:
    return pa.array([WORDS.get(value) for value in verdicts.tolist()], pa.string())
