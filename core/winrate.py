"""Win rates: raw, by a control variate from few human labels, and with length held equal.

Control variates for preference evaluation: "Accelerating Unbiased LLM Evaluation via Synthetic
Feedback", arXiv 2502.10563. Length control: "Length-Controlled AlpacaEval", arXiv 2404.04475.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from .errors import InputError
from .estimates import Estimate, around
from .logit import Logit, fit_logit, log_loss, sigmoid

RIDGES: Final = (0.01, 0.1, 1.0, 10.0, 100.0)


@final
@dataclass(frozen=True)
class ControlVariate:
    """`rate` is the win rate by humans, sharpened by the judge; `plain` is that of the humans alone.

    `alpha` is the mean weight given to the judge, `correlation` that of judge and humans, `saving`
    the share of human labels that would have been spared at equal precision, in [0, 1].
    """

    rate: Estimate
    plain: Estimate
    alpha: float
    correlation: float
    saving: float
    judged: int


def control_variate(human: np.ndarray, judge: np.ndarray, *, folds: int = 5, seed: int = 0) -> ControlVariate:
    """θ̂ = mean_n(z) - α (mean_n(ẑ) - mean_N(ẑ)), α = Cov(z, ẑ) / Var(ẑ) fitted on the other folds.

    `judge` [N] in [0, 1] is known everywhere, `human` [N] in {0, ½, 1} on n random rows, NaN on the
    rest. The variance is σ² [1/n - ρ² (1/n - 1/N)]. Covariance and variances all divide by n - 1.
    """
    human, judge = np.asarray(human, np.float64), np.asarray(judge, np.float64)
    if human.shape != judge.shape or not np.isfinite(judge).all():
        raise InputError("the judge needs one finite value for each row, the humans one or NaN")
    known = np.flatnonzero(np.isfinite(human))
    n, total = len(known), len(judge)
    if n < 2 * folds:
        raise InputError(f"{n} human labels", hint=f"a control variate in {folds} folds needs {2 * folds} or more")
    z, zhat, everywhere = human[known], judge[known], float(judge.mean())
    fold = np.random.default_rng(seed).permutation(n) % folds
    shift, alphas = 0.0, []
    for held in range(folds):
        out = fold == held
        alpha = _slope(z[~out], zhat[~out])
        alphas.append(alpha)
        shift += float(out.mean()) * alpha * (float(zhat[out].mean()) - everywhere)
    spread, rho = float(z.var(ddof=1)), _correlation(z, zhat)
    gain = rho**2 * (1 - n / total)
    rate = around(float(z.mean()) - shift, spread / n * (1 - gain), n)
    return ControlVariate(
        _inside(rate), _inside(around(float(z.mean()), spread / n, n)), float(np.mean(alphas)), rho, gain, total
    )


@final
@dataclass(frozen=True)
class LengthControlled:
    """`rate` is the win rate at equal length, `raw` as judged; `slope` is that of the log-odds on
    tanh(Δlength / sd), > 0 = the judge pays for length; `ridge` is what cross-validation chose."""

    rate: Estimate
    raw: Estimate
    slope: Estimate
    ridge: float

    @property
    def suspicious(self) -> bool:
        """Raw and length-controlled rates are more than ten points apart."""
        return abs(self.rate.value - self.raw.value) > 0.1


def length_controlled(
    wins: np.ndarray,
    delta_length: np.ndarray,
    difficulty: np.ndarray | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
) -> LengthControlled:
    """logit P(win) = θ + φ tanh(Δlength / sd) + ψ difficulty; the rate is the mean of P at Δlength = 0.

    `wins` [n] lie in [0, 1] (ties ½), `delta_length` [n] is ours minus theirs in any unit. φ and ψ
    share a ridge, of `RIDGES` the one of least log loss in cross-validation; θ has none to speak of.
    The interval is by the delta method, the weights' sandwich covariance in it.
    """
    wins = np.asarray(wins, np.float64)
    if len(wins) < 2 * folds:
        raise InputError(f"{len(wins)} judged rows", hint=f"length control in {folds} folds needs {2 * folds} or more")
    x = [np.ones(len(wins)), squashed(delta_length)]
    if difficulty is not None:
        x.append(np.asarray(difficulty, np.float64) - float(np.mean(difficulty)))
    design = np.column_stack(x)
    fold = np.random.default_rng(seed).permutation(len(wins)) % folds
    ridge = min(RIDGES, key=lambda r: _held_out_loss(design, wins, fold, _penalty(design, r)))
    fit = fit_logit(design, wins, _penalty(design, ridge))
    rate = _at_equal_length(design, fit)
    raw = around(float(wins.mean()), float(wins.var(ddof=1)) / len(wins), len(wins))
    return LengthControlled(_inside(rate), _inside(raw), fit.weight(1), ridge)


def _at_equal_length(design: np.ndarray, fit: Logit) -> Estimate:
    level = design.copy()
    level[:, 1] = 0.0
    chance = sigmoid(level @ fit.weights)
    slope = (level * (chance * (1 - chance))[:, None]).mean(axis=0)
    return around(float(chance.mean()), float(slope @ fit.covariance @ slope), len(design))


def squashed(delta: np.ndarray) -> np.ndarray:
    """tanh(Δ / sd) in (-1, 1), the sd taken around zero so that no row's sign changes."""
    delta = np.asarray(delta, np.float64)
    scale = float(np.sqrt(np.mean(delta**2))) if len(delta) else 0.0
    return np.tanh(delta / scale) if scale > 0 else np.zeros(len(delta))


def _slope(z: np.ndarray, zhat: np.ndarray) -> float:
    spread = float(zhat.var(ddof=1))
    return float(np.cov(z, zhat)[0, 1]) / spread if spread > 0 else 0.0


def _correlation(z: np.ndarray, zhat: np.ndarray) -> float:
    return float(np.corrcoef(z, zhat)[0, 1]) if z.std() > 0 and zhat.std() > 0 else 0.0


def _penalty(design: np.ndarray, ridge: float) -> np.ndarray:
    return np.array([1e-6] + [ridge] * (design.shape[1] - 1))


def _held_out_loss(design: np.ndarray, wins: np.ndarray, fold: np.ndarray, penalty: np.ndarray) -> float:
    losses = []
    for held in range(int(fold.max()) + 1):
        out = fold == held
        fit = fit_logit(design[~out], wins[~out], penalty)
        losses.append(log_loss(fit.chance(design[out]), wins[out]) * out.sum())
    return float(np.sum(losses))


def _inside(found: Estimate) -> Estimate:
    """The interval kept within [0, 1]; the figure itself may leave it, being unbiased."""
    return Estimate(found.value, max(found.low, 0.0), min(found.high, 1.0), found.n)
