"""Likeness of two pictures by their patches, as unit vectors [p, d] and [q, d]."""

from __future__ import annotations

import numpy as np


def best_match(reference: np.ndarray, image: np.ndarray) -> float:
    """Mean over the reference's patches of the best cosine among the image's, in [-1, 1], higher = more of it found."""
    return float((reference @ image.T).max(axis=1).astype(np.float64).mean())


def mutual_match(reference: np.ndarray, image: np.ndarray, least: float) -> float:
    """Share of the reference's patches with a mutual nearest neighbour of cosine > `least`, times their mean cosine.

    In [0, 1], higher = more of the reference found again, 0 when nothing is. Of equal neighbours
    the first counts. After the correspondences of FreeGraftor; the measure is our own.
    """
    cosines = reference @ image.T
    there, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    best = cosines[np.arange(len(reference)), there].astype(np.float64)
    matched = (back[there] == np.arange(len(reference))) & (best > least)
    return float(best[matched].sum() / len(reference))
