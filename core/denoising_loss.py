"""Losses of preferences between images, from the errors with which a model and its reference denoise both sides.

Errors are means over all dimensions, with one noise and one time step shared by both sides and both models.
For trainers that have none, and to check those that do.
"""

from __future__ import annotations

import numpy as np


def sfo_loss(
    chosen: np.ndarray, rejected: np.ndarray, chosen_reference: np.ndarray, rejected_reference: np.ndarray,
    beta: float = 1000.0,
) -> np.ndarray:  # fmt: skip
    """-log σ(-β(Δ - Δ_ref)), Δ = chosen - rejected error; ln 2 where both models agree. SFO, arXiv 2506.03621."""
    return _pushed(beta * ((chosen - rejected) - (chosen_reference - rejected_reference)))


def diffusion_dpo_loss(
    chosen: np.ndarray, rejected: np.ndarray, chosen_reference: np.ndarray, rejected_reference: np.ndarray,
    beta: float = 5000.0,
) -> np.ndarray:  # fmt: skip
    """-log σ(-½β(Δ - Δ_ref)); the diffusers script leaves the ½ out, with β 2500. Diffusion-DPO, arXiv 2311.12908."""
    return _pushed(0.5 * beta * ((chosen - rejected) - (chosen_reference - rejected_reference)))


def _pushed(lead: np.ndarray) -> np.ndarray:
    """-log σ(-lead) = log(1 + e^lead), without overflow."""
    found: np.ndarray = np.logaddexp(0.0, lead)
    return found
