"""The λ-harmonic mean of likeness to a subject and fidelity to a prompt."""

from __future__ import annotations

from typing import Final

import numpy as np

EPSILON: Final = 1e-8
"""Keeps the mean finite at 0, as the published code does."""


def lambda_harmonic(
    image: np.ndarray | float, text: np.ndarray | float, weight: float, epsilon: float = EPSILON
) -> np.ndarray:
    """1 / (λ/(s_I + ε) + (1-λ)/(s_T + ε)), float64 [n], for s_I and s_T in [0, 1]; higher is better.

    `weight` is λ in [0, 1]: 1 gives s_I, 0 gives s_T. A mean of two, it is never far above the
    smaller. NaN in, NaN out. Subject-driven generation by preference (arXiv 2407.12164).
    """
    s_image, s_text = np.asarray(image, np.float64), np.asarray(text, np.float64)
    return np.asarray(1 / (weight / (s_image + epsilon) + (1 - weight) / (s_text + epsilon)))


def to_unit(cosine: np.ndarray | float) -> np.ndarray:
    """A cosine in [-1, 1] as (cos + 1)/2 in [0, 1]."""
    return np.asarray((np.asarray(cosine, np.float64) + 1) / 2)
