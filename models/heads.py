"""Small reward heads: logistic Bradley-Terry on difference features, cross-fitted.

The difference features of a pair are φ(prompt, chosen) - φ(prompt, rejected); a head has no
intercept, so swapping the two answers of a pair negates its margin exactly.
Bradley and Terry (1952); the cross-fitting is that of Chernozhukov et al. (2018).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from ..core.errors import InputError
from .logistic import Curvature, Problem, times, widened


@final
@dataclass(frozen=True)
class BradleyTerryHead:
    """A linear reward on features divided by `scale`: both arrays are float64 [d]."""

    weights: np.ndarray
    scale: np.ndarray

    def margin(self, delta: np.ndarray) -> np.ndarray:
        """Margins [n] float64 in logits of differences [n, d]; positive = chosen better."""
        if delta.ndim != 2 or delta.shape[1] != len(self.weights):
            raise InputError(
                f"features of shape {delta.shape} for a head of {len(self.weights)} features",
                hint="make them with the encoder and features that the head was fitted on",
            )
        return times(delta, self.weights / self.scale)

    def save(self, folder: Path) -> None:
        """Write `head.safetensors` (weights, scale) and `head.json` (kind) into `folder`."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file({"weights": self.weights, "scale": self.scale}, folder / "head.safetensors")
        about = {"kind": "bradley_terry", "features": len(self.weights), "unit": "logit"}
        (folder / "head.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> BradleyTerryHead:
        """Read what `save` wrote; raises InputError when it is missing or of another kind."""
        from safetensors.numpy import load_file

        about = folder / "head.json"
        if not about.is_file():
            raise InputError("no reward head here", place=str(folder), hint="expected head.json")
        kind = json.loads(about.read_text(encoding="utf-8")).get("kind")
        if kind != "bradley_terry":
            raise InputError(f"a head of kind {kind!r}", place=str(about), hint="known: bradley_terry")
        arrays = load_file(folder / "head.safetensors")
        return cls(weights=arrays["weights"], scale=arrays["scale"])


def fit_head(
    delta: np.ndarray,
    *,
    l2: float,
    weights: np.ndarray | None = None,
    curvature: Curvature | None = None,
) -> BradleyTerryHead:
    """The head that minimises Σ wᵢ log(1 + exp(-mᵢ)) + ½ l2 d |w|² with mᵢ = w·Δᵢ/scale.

    `delta` [n, d] is scaled by its rms a column (a zero column is ignored), so that a priori a
    margin has variance 1 / l2 whatever d is; l2 > 0. `weights` [n] ≥ 0 are importances.
    `curvature` of a like problem may be handed over: it changes the speed, not the head.
    Raises InputError on bad shapes or numbers.
    """
    problem = Problem.of(widened(delta), l2, weights)
    return BradleyTerryHead(problem.solved(curvature or Curvature.of(problem)), problem.scale)


def cross_fit(
    delta: np.ndarray, groups: np.ndarray, *, folds: int, seed: int, l2: float,
    weights: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Out-of-fold margins [n] in logits: each row's head has seen no label of its group's fold.

    `groups` [n] uint64 are hashes of the prompts; they decide the fold (see `fold_of`), so the margins do not
    depend on the order of rows. Other arguments: see `fit_head`.
    """
    if len(groups) != len(delta):
        raise InputError("groups need one value a pair", place=f"{len(delta)} pairs")
    fold = fold_of(groups, folds=folds, seed=seed)
    importance = np.ones(len(delta)) if weights is None else np.asarray(weights, np.float64)
    delta = widened(delta)
    whole = Curvature.of(Problem.of(delta, l2, importance))
    margins = np.zeros(len(delta))
    for held_out in np.unique(fold):
        out = fold == held_out
        head = fit_head(delta, l2=l2, weights=np.where(out, 0.0, importance), curvature=whole)
        margins[out] = head.margin(delta)[out]
    return margins


def fold_of(groups: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """The fold [n] in 0 … folds-1 of each uint64 group: a function of (group, seed) alone."""
    if folds < 2:
        raise InputError(f"{folds} folds", hint="cross-fitting needs 2 or more")
    mixed = np.asarray(groups).astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(folds)).astype(np.int64)
