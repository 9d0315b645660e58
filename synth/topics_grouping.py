"""Claims of different answers put together into topics: which pairs are asked about, and the communities they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from ..core.louvain import communities
from ..models.readers import read_yes_no
from .making import Writer, together
from .topics_claims import Claim

Pair = tuple[int, int]


@final
@dataclass(frozen=True)
class Grouping:
    """Which claims may share a topic: alike by embedding, by where they look, and by a model's word."""

    floor: float
    pairs: int
    correlation: float
    resolution: float

    async def topics(
        self, asker: Writer, claims: Sequence[Claim], likeness: np.ndarray | None, maps: np.ndarray | None
    ) -> list[int]:
        """The topic [n] of each claim; an alternative has that of the claim it is one to.

        `likeness` [n, n] are cosines of the claims' texts, `maps` [n, p] their relevance maps; either
        may be missing. Raises CallError when a call failed.
        """
        standing = [k for k, claim in enumerate(claims) if claim.source is None]
        pairs = self.admitted([claims[k].answer for k in standing], _of(likeness, standing))
        if maps is not None:
            allowed = correlations(maps[standing]) > self.correlation
            pairs = [pair for pair in pairs if allowed[pair]]
        asked = await together(*(same(asker, claims[standing[a]], claims[standing[b]]) for a, b in pairs))
        edges = [pair for pair, one in zip(pairs, asked, strict=True) if one]
        topic = dict(zip(standing, communities(len(standing), edges, self.resolution), strict=True))
        return [topic[k if claim.source is None else claim.source] for k, claim in enumerate(claims)]

    def admitted(self, answers: Sequence[int], likeness: np.ndarray | None) -> list[Pair]:
        """Pairs of claims of different answers alike enough, the most alike first, at most `pairs` of them."""
        found = [(a, b) for a in range(len(answers)) for b in range(a + 1, len(answers)) if answers[a] != answers[b]]
        if likeness is not None:
            found = [pair for pair in found if likeness[pair] >= self.floor]
            found.sort(key=lambda pair: -float(likeness[pair]))
        return found[: self.pairs]


async def same(asker: Writer, one: Claim, other: Claim) -> bool:
    """Whether two claims speak of one thing and answer one question; the second is asked only after the first."""
    for part, a, b in (("same_facts", one.text, other.text), ("same_questions", one.what, other.what)):
        verdict = await asker.verdict(part, {"first": a, "second": b}, read_yes_no(), temperature=0.0, max_tokens=4)
        if not (verdict.ok and verdict.value):
            return False
    return True


def correlations(maps: np.ndarray) -> np.ndarray:
    """Pearson's r [n, n] of the rows of [n, p]; -1 with a row that is constant or holds NaN: it looks nowhere."""
    centred = maps - maps.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1)
    sound = np.isfinite(norms) & (norms > 1e-12)
    unit = np.where(sound[:, None], centred, 0.0) / np.where(sound, norms, 1.0)[:, None]
    found: np.ndarray = np.where(sound[:, None] & sound[None, :], unit @ unit.T, -1.0)
    return found


def _of(likeness: np.ndarray | None, places: Sequence[int]) -> np.ndarray | None:
    return None if likeness is None else likeness[np.ix_(places, places)]
