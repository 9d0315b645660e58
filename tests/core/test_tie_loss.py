"""The loss with ties: published anchors, its minimum, and how the released code differs."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core.tie_loss import released_tie_loss, tie_loss


@pytest.mark.parametrize(("mu", "lead", "loss"), [(1, 1, 0.313262), (0.5, 1, 0.813262), (0.5, 0, 0.693147)])
def test_anchors(mu: float, lead: float, loss: float) -> None:
    assert tie_loss(lead, mu) == pytest.approx(loss, abs=1e-6)


def test_a_tie_is_best_where_both_rewards_are_equal() -> None:
    leads = np.linspace(-3, 3, 61)
    losses = tie_loss(leads, 0.5)
    assert losses.argmin() == 30 and np.allclose(losses, losses[::-1])
    assert np.allclose(tie_loss(leads, 1.0), tie_loss(-leads, 0.0)) and (np.diff(tie_loss(leads, 1.0)) < 0).all()
    assert np.isfinite(tie_loss(np.array([-1e4, 1e4]), 0.5)).all()


def test_the_released_code_weighs_ties_twice() -> None:
    leads = np.array([-1.0, 0.0, 2.0])
    assert np.allclose(released_tie_loss(leads, True), 2 * tie_loss(leads, 0.5))
    assert np.allclose(released_tie_loss(leads, False), tie_loss(leads, 1.0))
    assert released_tie_loss(3.0, False, margin=3.0) == pytest.approx(np.log(2))
    assert released_tie_loss(leads, True, tie_weight=0.0).tolist() == [0, 0, 0], "as when ties are not switched on"
