"""Reversed labels found on a real set with a known key, beside simpler ways to find them.

    RATHER_TEST_DATA=... python bench/noise.py [seeds]

Prints, for every method and source, the recall and precision of what it flags; then the accuracy on
clean held-out pairs of one head trained on all pairs, on those that a peer review keeps, and after
dropping as many at random (95 % bootstrap intervals). The key is read to score, never to flag.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
from rather.core.text_features import answer_features
from rather.models.encoders_text import StaticText
from rather.models.heads import cross_fit, fit_head, fold_of
from rather.models.pair_features import pair_features
from rather.models.peer_review import PeerReview, peer_review

PLAIN = {"folds": 5, "l2": 1.0}  # the simpler ways, as `score.reward_head` has it


@final
@dataclass(frozen=True)
class Pairs:
    """The set: two views [n, ·], prompt hashes, sources and the key (True = reversed), each [n]."""

    views: tuple[np.ndarray, np.ndarray]
    groups: np.ndarray
    sources: np.ndarray
    flipped: np.ndarray

    @property
    def joined(self) -> np.ndarray:
        return np.concatenate(self.views, axis=1)

    def take(self, rows: np.ndarray) -> Pairs:
        views = (self.views[0][rows], self.views[1][rows])
        return replace(
            self, views=views, groups=self.groups[rows], sources=self.sources[rows],
            flipped=self.flipped[rows],
        )  # fmt: skip


def load(folder: Path) -> Pairs:
    """The pairs of `noise/flipped20_*` under the data folder, as features."""
    rows = lines_of(folder / "noise" / "flipped20_pairs.jsonl.gz")
    key = {row["id"]: row["is_flipped"] for row in lines_of(folder / "noise" / "flipped20_key.jsonl.gz")}
    return as_pairs(rows, np.array([key[row["id"]] for row in rows]))


def as_pairs(rows: list[dict], flipped: np.ndarray) -> Pairs:
    """Records of prompt, chosen, rejected and source as features, by the embedded encoder."""
    prompt, chosen, rejected = ([row[name] for row in rows] for name in ("prompt", "chosen", "rejected"))
    encode = StaticText().encode
    asked = pa.array(prompt)
    views = pair_features(
        encode(prompt), encode(chosen), encode(rejected),
        answer_features(asked, pa.array(chosen))[0], answer_features(asked, pa.array(rejected))[0],
    )  # fmt: skip
    hashes = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in prompt]
    groups = np.frombuffer(b"".join(hashes), np.uint64)
    return Pairs(views, groups, np.array([row["source"].split()[0] for row in rows]), flipped)


def review(pairs: Pairs, noise: float | None, seed: int) -> PeerReview:
    """The peers' review with sources known, as shipped."""
    return peer_review(pairs.views, pairs.groups, noise=noise, seed=seed, sources=pairs.sources)


def baselines(pairs: Pairs, seed: int) -> dict[str, np.ndarray]:
    """Scores [n] by which simpler methods rank the same pairs; the lowest is most suspect."""
    plain = cross_fit(pairs.joined, pairs.groups, seed=seed, **PLAIN)
    return {
        "random": np.random.default_rng(seed).random(len(plain)),
        "small margin": np.abs(plain),
        "in-sample loss": fit_head(pairs.joined, l2=PLAIN["l2"]).margin(pairs.joined),
        "plain head, embeddings": cross_fit(pairs.views[0], pairs.groups, seed=seed, **PLAIN),
        "plain head": plain,
    }


def as_many(score: np.ndarray, flagged: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The lowest scores [n] bool, as many in each class of `within` [n] as are flagged there."""
    flags = np.zeros(len(score), bool)
    for value in np.unique(within):
        rows = np.flatnonzero(within == value)
        flags[rows[np.argsort(score[rows], kind="stable")[: flagged[rows].sum()]]] = True
    return flags


def rates(flagged: np.ndarray, flipped: np.ndarray) -> tuple[float, float]:
    """Recall and precision of the flags."""
    hits = float((flagged & flipped).sum())
    return hits / max(1, flipped.sum()), hits / max(1, flagged.sum())


def by_source(flagged: np.ndarray, pairs: Pairs) -> dict[str, tuple[float, float]]:
    """Recall and precision over all pairs and in each source."""
    table = {"all": rates(flagged, pairs.flipped)}
    for source in np.unique(pairs.sources):
        rows = pairs.sources == source
        table[str(source)] = rates(flagged[rows], pairs.flipped[rows])
    return table


Table = dict[str, dict[str, np.ndarray]]


def tables(pairs: Pairs, noise: float | None, seeds: int) -> tuple[Table, Table]:
    """Method → source → (recall, precision), the mean over seeds.

    The baselines flag as many rows as the review: in all (first table), in each source (second).
    """
    found: tuple[dict, dict] = ({}, {})
    for seed in range(seeds):
        ours = review(pairs, noise, seed).flip_suspect
        scores = baselines(pairs, seed) | {"peer review": -ours.astype(float)}
        for cells, within in zip(found, (np.zeros(len(ours)), pairs.sources), strict=True):
            for method, score in scores.items():
                for source, pair in by_source(as_many(score, ours, within), pairs).items():
                    cells.setdefault(method, {}).setdefault(source, []).append(pair)
    total, matched = (
        {method: {source: np.mean(values, axis=0) for source, values in row.items()}
         for method, row in cells.items()} for cells in found
    )  # fmt: skip
    return total, matched


def held_out(pairs: Pairs, seed: int, folds: int = 5) -> dict[str, np.ndarray]:
    """Right or not [n] on clean labels, by heads trained on other folds: all, kept, random drop."""
    fold = fold_of(pairs.groups, folds=folds, seed=seed + 77)
    clean = pairs.joined * np.where(pairs.flipped, -1, 1)[:, None]
    right = {name: np.zeros(len(fold)) for name in ("all", "kept", "random drop")}
    for out in range(folds):
        train = pairs.take(np.flatnonzero(fold != out))
        kept = ~review(train, None, seed).flip_suspect
        chance = np.random.default_rng(seed).permutation(kept)
        for name, rows in (("all", kept | True), ("kept", kept), ("random drop", chance)):
            head = fit_head(train.joined[rows], l2=PLAIN["l2"])
            right[name][fold == out] = head.margin(clean[fold == out]) > 0
    return right


def interval(values: np.ndarray) -> str:
    """Mean and 95 % bootstrap interval."""
    draws = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return f"{values.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def main(seeds: int) -> None:
    pairs = load(Path(os.environ["RATHER_TEST_DATA"]))
    estimates = [review(pairs, None, seed).noise_estimate for seed in range(seeds)]
    print(f"reversed {pairs.flipped.mean():.3f}, estimated {estimates}; recall/precision, {seeds} seeds")
    for noise in (0.2, None):
        counts = ("as many rows flagged in all", "as many rows flagged in each source")
        for count, rows in zip(counts, tables(pairs, noise, seeds), strict=True):
            print(f"\nnoise {noise or 'estimated'}, {count}")
            for method, row in rows.items():
                cells = "  ".join(f"{name} {r:.3f}/{p:.3f}" for name, (r, p) in row.items())
                print(f"{method:24s}{cells}")
    print("\nhead on held-out pairs with clean labels")
    right = held_out(pairs, seed=0)
    for name, values in right.items():
        print(f"{name:24s}{interval(values)}   minus all {interval(values - right['all'])}")


def lines_of(path: Path) -> list[dict]:
    """The records of a file of JSON lines, gzipped where its name says so."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
