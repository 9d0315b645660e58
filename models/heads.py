"""Small reward heads: logistic Bradley-Terry on difference features, fitted by Newton's method.

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

from ..core.errors import InputError, RunError
from .calibration import members, sigmoid

CHUNK = 65_536  # rows widened to float64 at a time
CURVATURE_ROWS = 20_000  # rows the Hessian is taken from; beyond them it is a scaled sample


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
        return _times(delta, self.weights / self.scale)

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
    offset: np.ndarray | None = None,
) -> BradleyTerryHead:
    """The head that minimises Σ wᵢ log(1 + exp(-mᵢ)) + ½ l2 d |w|² with mᵢ = offsetᵢ + w·Δᵢ/scale.

    `delta` [n, d] is scaled by its rms a column (a zero column is ignored), so that a priori a
    margin has variance 1 / l2 whatever d is; l2 > 0. `weights` [n] ≥ 0 are importances,
    `offset` [n] margins known beforehand, in logits. Raises InputError on bad shapes or numbers.
    """
    problem = _Problem.of(delta, l2, weights, offset)
    w = np.zeros(delta.shape[1])
    margin = problem.known
    for _ in range(200):
        chance = sigmoid(-margin)
        gradient = problem.gradient(w, chance)
        if np.abs(gradient).max() <= 1e-7 * (problem.ridge + problem.importance.sum()):
            return BradleyTerryHead(weights=w, scale=problem.scale)
        step = np.linalg.solve(problem.hessian(chance), gradient)
        w, margin = problem.descend(w, margin, step, float(gradient @ step))
    raise RunError("the reward head did not converge in 200 steps", hint="raise l2")


def cross_fit(
    delta: np.ndarray,
    groups: np.ndarray,
    *,
    folds: int,
    seed: int,
    l2: float,
    weights: np.ndarray | None = None,
    sources: np.ndarray | None = None,
) -> np.ndarray:
    """Out-of-fold margins [n] in logits: each row's head has seen no label of its group's fold.

    `groups` [n] uint64 are hashes of the prompts; they decide the fold (see `fold_of`), so the
    margins do not depend on the order of rows. With `sources` [n] (any hashable codes) each source
    adds a head of its own to the common one, both under the ridge `l2`, so that a small source
    stays near the common head. The other arguments are those of `fit_head`.
    """
    if len(groups) != len(delta) or (sources is not None and len(sources) != len(delta)):
        raise InputError("groups and sources need one value a pair", place=f"{len(delta)} pairs")
    fold = fold_of(groups, folds=folds, seed=seed)
    importance = np.ones(len(delta)) if weights is None else np.asarray(weights, np.float64)
    parts = [] if sources is None else members(len(delta), sources)
    margins = np.zeros(len(delta))
    for held_out in range(folds):
        out = fold == held_out
        if not out.any():
            continue
        seen = np.where(out, 0.0, importance)
        common = fit_head(delta, l2=l2, weights=seen).margin(delta)
        margins[out] = common[out]
        for rows in parts:
            own = fit_head(delta[rows], l2=l2, weights=seen[rows], offset=common[rows])
            held = rows[out[rows]]
            margins[held] += own.margin(delta[held])
    return margins


def fold_of(groups: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """The fold [n] in 0 … folds-1 of each uint64 group: a function of (group, seed) alone."""
    if folds < 2:
        raise InputError(f"{folds} folds", hint="cross-fitting needs 2 or more")
    mixed = np.asarray(groups).astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(folds)).astype(np.int64)


@final
@dataclass(frozen=True)
class _Problem:
    """The penalised likelihood of one fit, in the scaled features' weights."""

    delta: np.ndarray
    scale: np.ndarray
    importance: np.ndarray
    known: np.ndarray
    ridge: float

    @classmethod
    def of(cls, delta: np.ndarray, l2: float, weights: np.ndarray | None, offset: np.ndarray | None) -> _Problem:
        rows = _checked(delta, l2)
        importance = np.ones(rows) if weights is None else np.asarray(weights, np.float64)
        known = np.zeros(rows) if offset is None else np.asarray(offset, np.float64)
        if importance.shape != (rows,) or known.shape != (rows,) or (importance < 0).any():
            raise InputError("weights and offset need one number a pair, weights none below 0")
        return cls(delta, _rms(delta), importance, known, l2 * delta.shape[1])

    def loss(self, w: np.ndarray, margin: np.ndarray) -> float:
        return float(self.importance @ np.logaddexp(0, -margin) + self.ridge / 2 * (w @ w))

    def gradient(self, w: np.ndarray, chance: np.ndarray) -> np.ndarray:
        pull = _times_transposed(self.delta, self.importance * chance)
        slope: np.ndarray = self.ridge * w - pull / self.scale
        return slope

    def hessian(self, chance: np.ndarray) -> np.ndarray:
        """Curvature [d, d], of a scaled sample when rows are many: it sets the step, not the aim."""
        stride = -(-len(self.delta) // max(CURVATURE_ROWS, 20 * self.delta.shape[1]))
        curve = self.importance * chance * (1 - chance)
        sample = curve[::stride]
        grow = curve.sum() / sample.sum() if sample.sum() > 0 else 1.0
        rows = self.delta[::stride] / self.scale * np.sqrt(sample * grow)[:, None]
        curvature: np.ndarray = rows.T @ rows + self.ridge * np.eye(self.delta.shape[1])
        return curvature

    def descend(
        self, w: np.ndarray, margin: np.ndarray, step: np.ndarray, slope: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """The longest of the steps 1, ½, ¼ … that lowers the loss enough (Armijo, 1966)."""
        loss = self.loss(w, margin)
        move = _times(self.delta, step / self.scale)
        size = 1.0
        while self.loss(w - size * step, margin - size * move) > loss - 1e-4 * size * slope:
            size /= 2
            if size < 1e-6:
                break
        return w - size * step, margin - size * move


def _checked(delta: np.ndarray, l2: float) -> int:
    if delta.ndim != 2 or not len(delta) or not delta.shape[1]:
        raise InputError(f"features of shape {delta.shape}", hint="needed: pairs by features")
    if not np.isfinite(delta).all():
        row = int(np.flatnonzero(~np.isfinite(delta).all(axis=1))[0])
        raise InputError("a feature is not finite", place=f"pair {row}")
    if not l2 > 0:
        raise InputError(f"l2 is {l2}", hint="needed: above 0, else separable pairs have no fit")
    return len(delta)


def _rms(delta: np.ndarray) -> np.ndarray:
    """Root mean square [d] of each column; 1 where the column is zero."""
    squares = sum(np.square(delta[at : at + CHUNK], dtype=np.float64).sum(axis=0) for at in range(0, len(delta), CHUNK))
    rms = np.sqrt(squares / len(delta))
    return np.where(rms > 0, rms, 1.0)


def _times(delta: np.ndarray, w: np.ndarray) -> np.ndarray:
    parts = [delta[at : at + CHUNK] @ w for at in range(0, len(delta), CHUNK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _times_transposed(delta: np.ndarray, values: np.ndarray) -> np.ndarray:
    starts = range(0, len(delta), CHUNK)
    total = np.zeros(delta.shape[1])
    for at in starts:
        total += values[at : at + CHUNK] @ delta[at : at + CHUNK]
    return total
