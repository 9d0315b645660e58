"""From a judge's number to the chance that it is right, and how well such chances hold.

Isotonic: pool adjacent violators (Ayer et al., 1955). Platt: Platt (1999), his smoothed targets
included. Expected calibration error: Naeini et al. (2015). Brier (1950).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np

from .errors import InputError
from .estimates import Estimate, share
from .logit import fit_logit, sigmoid

Method = Literal["isotonic", "platt"]
FORMAT: Final = "rather.calibration"


@final
@dataclass(frozen=True)
class Curve:
    """A map from score to P(right): steps joined by lines (isotonic), or σ(slope · s + level) (platt)."""

    method: Method
    x: tuple[float, ...]
    y: tuple[float, ...]
    rows: int = 0

    def apply(self, score: np.ndarray) -> np.ndarray:
        """P(right) in [0, 1] for scores [n]; NaN stays NaN, beyond the ends the end's value holds."""
        score = np.asarray(score, np.float64)
        if self.method == "platt":
            return sigmoid(self.x[0] * score + self.y[0])
        found: np.ndarray = np.interp(score, self.x, self.y)
        return np.where(np.isnan(score), np.nan, found)

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write the curve as JSON, with what it was fitted on beside it."""
        whole = {"format": FORMAT, "method": self.method, "x": self.x, "y": self.y, "rows": self.rows, "about": about}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Curve:
        """What `save` wrote; InputError when it is something else."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] == FORMAT and found["method"] in ("isotonic", "platt"):
                return cls(found["method"], tuple(found["x"]), tuple(found["y"]), int(found["rows"]))
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError("not a calibration", place=str(path), hint="diagnose.calibration writes one") from error
        raise InputError("a calibration of another kind", place=str(path), hint="diagnose.calibration writes one")


def fit_curve(score: np.ndarray, right: np.ndarray, method: Method = "isotonic") -> Curve:
    """The curve of scores [n] (NaN left out) for outcomes [n]: 1 right, 0 wrong, ½ a tie."""
    score, right = np.asarray(score, np.float64), np.asarray(right, np.float64)
    known = np.isfinite(score) & np.isfinite(right)
    score, right = score[known], right[known]
    if len(score) < 2:
        raise InputError(f"{len(score)} rows have both a score and a label", hint="a calibration needs more of them")
    if method == "platt":
        return _platt(score, right)
    x, y = _isotonic(score, right)
    return Curve("isotonic", tuple(x.tolist()), tuple(y.tolist()), len(score))


def _isotonic(score: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the blocks of equal value and their values, so that lines between them never fall."""
    values, member = np.unique(score, return_inverse=True)
    weight = np.bincount(member).astype(np.float64)
    level = np.bincount(member, right) / weight
    blocks: list[tuple[float, float, int]] = []  # value, weight, points
    for one, w in zip(level, weight, strict=True):
        block = (float(one), float(w), 1)
        while blocks and blocks[-1][0] >= block[0]:
            last = blocks.pop()
            total = last[1] + block[1]
            block = ((last[0] * last[1] + block[0] * block[1]) / total, total, last[2] + block[2])
        blocks.append(block)
    ends = np.cumsum([points for _, _, points in blocks])
    starts = ends - np.array([points for _, _, points in blocks])
    x = np.column_stack([values[starts], values[ends - 1]]).ravel()
    y = np.repeat([value for value, _, _ in blocks], 2)
    keep = np.concatenate([[True], np.diff(x) > 0])
    return x[keep], y[keep]


def _platt(score: np.ndarray, right: np.ndarray) -> Curve:
    good, bad = float(right.sum()), float((1 - right).sum())
    high, low = (good + 1) / (good + 2), 1 / (bad + 2)
    centre, scale = float(score.mean()), float(score.std()) or 1.0
    x = np.column_stack([(score - centre) / scale, np.ones(len(score))])
    slope, level = fit_logit(x, right * high + (1 - right) * low, 1e-6).weights
    return Curve("platt", (float(slope / scale),), (float(level - slope * centre / scale),), len(score))


@final
@dataclass(frozen=True)
class Bin:
    """Rows whose stated chance lies in [low, high]: its mean, and the share that was right."""

    low: float
    high: float
    stated: float
    right: Estimate


def reliability(chance: np.ndarray, right: np.ndarray, bins: int = 10) -> Sequence[Bin]:
    """Bins of equal width over [0, 1], empty ones left out; `right` [n] in {0, ½, 1}."""
    chance, right = _known(chance, right)
    member = np.minimum((chance * bins).astype(np.int64), bins - 1)
    found = []
    for k in np.unique(member):
        inside = member == k
        n = int(inside.sum())
        found.append(Bin(k / bins, (k + 1) / bins, float(chance[inside].mean()), share(float(right[inside].sum()), n)))
    return found


def calibration_error(chance: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error in [0, 1], lower is better: Σ share of rows · |stated - right| by bin."""
    found = reliability(chance, right, bins)
    total = sum(b.right.n for b in found)
    return sum(b.right.n * abs(b.stated - b.right.value) for b in found) / total if total else float("nan")


def brier(chance: np.ndarray, right: np.ndarray) -> float:
    """Mean squared error of chances [n] in [0, 1], lower is better; ¼ is what a coin earns."""
    chance, right = _known(chance, right)
    return float(np.mean((chance - right) ** 2)) if len(chance) else float("nan")


def _known(chance: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chance, right = np.asarray(chance, np.float64), np.asarray(right, np.float64)
    known = np.isfinite(chance) & np.isfinite(right)
    return chance[known], right[known]
