"""Topics of a set of vectors: k-means with a fixed seed, a flat map of it, words that tell topics apart.

For looking, not for deciding: at most a sample of the rows takes part in the fit, every row can be
assigned afterwards. Weighting of words after BERTopic's class-based TF-IDF (Grootendorst, 2022).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

WORD = re.compile(r"[^\W\d_][\w'-]{2,}")
_COMMON_TEXT = """
the and for that with this from have has had are was were will would could should can may might
must not but you your his her him she they them their there then than these those what which when
where who whom whose why how all any some into about over under between also just only very more
most such each other its it's i'm don't does did doing been being use used using make made get got
give given like want need help please tell know think say said one two three first new out off own
after before because while during both few many much here again once our ours mine yours let write
provide following answer question sentence text example human assistant you're i've i'll that's
what's really sure yes well good thing things someone per something anything too lot way right
back going go come take put still even
"""
COMMON = frozenset(_COMMON_TEXT.split())
"""English words that say nothing of a topic; other languages are told apart by frequency alone."""

ROUNDS: Final = 40
STARTS: Final = 4


@final
@dataclass(frozen=True)
class Topics:
    """Centres [k, d] of unit vectors; `axes` [d, 2] and `middle` [d] make the flat map."""

    centres: np.ndarray
    axes: np.ndarray
    middle: np.ndarray

    def assign(self, vectors: np.ndarray) -> np.ndarray:
        """The nearest topic of each vector, int [n] in 0 … k-1."""
        return np.asarray(np.argmax(_unit(vectors) @ self.centres.T - (self.centres**2).sum(1) / 2, axis=1))

    def flatten(self, vectors: np.ndarray) -> np.ndarray:
        """Places [n, 2] on the map."""
        return np.asarray((_unit(vectors) - self.middle) @ self.axes)


def find_topics(vectors: np.ndarray, most: int = 8, seed: int = 7) -> Topics:
    """Topics of vectors [n, d], n ≥ 1: at most `most`, fewer for small sets, largest first.

    The map's first axes separate the topics (principal components of their centres), as the
    plain components of all vectors show mostly what topics have in common.
    """
    unit = _unit(vectors)
    k = max(1, min(most, len(unit) // 12, len(np.unique(unit, axis=0))))
    centres, labels = _k_means(unit, k, np.random.default_rng(seed))
    sizes = np.bincount(labels, minlength=k)
    order = np.argsort(-sizes, kind="stable")
    middle = unit.mean(axis=0)
    spread = (centres - middle) * np.sqrt(sizes)[:, None] if k > 2 else unit - middle
    return Topics(centres[order], _axes(spread), middle)


def distinctive_words(texts: Sequence[str], labels: np.ndarray, topics: int, words: int = 4) -> list[str]:
    """For each topic, the words that are frequent in it and rare elsewhere; by number when none is."""
    inside = [Counter[str]() for _ in range(topics)]
    for text, label in zip(texts, labels, strict=True):
        inside[int(label)].update({word for word in _words(text)})
    everywhere = Counter[str]()
    for counter in inside:
        everywhere.update(counter)
    sizes = np.bincount(labels, minlength=topics)
    total = max(len(texts), 1)
    found = []
    for topic, counter in enumerate(inside):
        size = max(int(sizes[topic]), 1)
        weight = {
            word: seen / size * np.log(total * seen / (size * everywhere[word]))
            for word, seen in counter.items()
            if seen > 1 and seen / size > everywhere[word] / total
        }
        best = sorted(weight, key=lambda word: (-weight[word], word))[:words]
        found.append(", ".join(best) or f"topic {topic + 1}")
    return found


def _words(text: str) -> list[str]:
    plain = text[:4000].lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return [word[:24] for word in WORD.findall(plain) if word not in COMMON]


def _unit(vectors: np.ndarray) -> np.ndarray:
    clean = np.nan_to_num(vectors.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    norms = np.linalg.norm(clean, axis=1, keepdims=True)
    return np.asarray(clean / np.where(norms > 0, norms, 1.0))


def _axes(spread: np.ndarray) -> np.ndarray:
    """The two main directions [d, 2], their signs fixed so that the map never flips between runs."""
    rows = np.linalg.svd(spread, full_matrices=False)[2][:2]
    if len(rows) < 2:
        rows = np.vstack([rows, np.zeros((2 - len(rows), spread.shape[1]), spread.dtype)])
    largest = np.abs(rows).argmax(axis=1)
    signs = np.where(rows[np.arange(2), largest] < 0, -1.0, 1.0)
    return np.asarray((rows * signs[:, None]).T)


def _k_means(unit: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centres [k, d] and labels [n]: Lloyd's rounds from STARTS seedings, the tightest kept."""
    best, result = np.inf, (unit[:1], np.zeros(len(unit), np.int64))
    for _ in range(STARTS):
        centres = _spread_out(unit, k, rng)
        labels = np.full(len(unit), -1)
        for _ in range(ROUNDS):
            distance = (centres**2).sum(1) - 2 * unit @ centres.T
            nearest = distance.argmin(axis=1)
            if np.array_equal(nearest, labels):
                break
            labels = nearest
            for topic in range(k):
                members = unit[labels == topic]
                if len(members):
                    centres[topic] = members.mean(axis=0)
        cost = float(distance[np.arange(len(unit)), labels].sum())
        if cost < best:
            best, result = cost, (centres, labels)
    return result


def _spread_out(unit: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ seeding (Arthur & Vassilvitskii, 2007)."""
    chosen = [int(rng.integers(len(unit)))]
    distance = ((unit - unit[chosen[0]]) ** 2).sum(1)
    while len(chosen) < k:
        total = float(distance.sum())
        draw = rng.choice(len(unit), p=distance / total) if total > 0 else rng.integers(len(unit))
        chosen.append(int(draw))
        distance = np.minimum(distance, ((unit - unit[chosen[-1]]) ** 2).sum(1))
    return unit[chosen].copy()
