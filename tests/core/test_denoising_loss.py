"""The published anchors of losses between images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rather.core.denoising_loss import diffusion_dpo_loss, sfo_loss

ZERO = np.zeros(1)


def test_sfo() -> None:
    """β 1000, model .100 against .102, reference equal: -log σ(2) = 0.126928; all equal: ln 2."""
    assert sfo_loss(np.array([0.100]), np.array([0.102]), ZERO, ZERO)[0] == pytest.approx(0.126928, abs=1e-6)
    assert sfo_loss(ZERO, ZERO, ZERO, ZERO)[0] == pytest.approx(math.log(2))
    assert sfo_loss(ZERO, ZERO, np.array([0.100]), np.array([0.102]))[0] == pytest.approx(2.126928, abs=1e-6)


def test_diffusion_dpo() -> None:
    """β 5000, Δ = -.0002 against 0: -log σ(0.5) = 0.474077; far off it grows with its slope, without overflow."""
    assert diffusion_dpo_loss(np.array([-0.0002]), ZERO, ZERO, ZERO)[0] == pytest.approx(0.474077, abs=1e-6)
    assert diffusion_dpo_loss(np.array([1.0]), ZERO, ZERO, ZERO)[0] == pytest.approx(2500.0)
