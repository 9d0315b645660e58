"""Figures as a diagnosis tells them: name, value, 95 % interval, and a reading in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.estimates import Estimate

Measure = dict[str, Any]
"""`measure`, `value`, `low`, `high` (null where there is none), `reading`."""


def measure(name: str, found: Estimate, reading: str = "") -> Measure:
    """One line of a diagnosis."""
    return {
        "measure": name, "value": number(found.value), "low": number(found.low), "high": number(found.high),
        "reading": reading,
    }  # fmt: skip


def plain(name: str, value: float, reading: str = "") -> Measure:
    """One line without an interval."""
    return measure(name, Estimate(value, float("nan"), float("nan")), reading)


def number(value: float) -> float | None:
    """Four decimals; null instead of NaN, so that facts are JSON."""
    return round(float(value), 4) if np.isfinite(value) else None


def leaning(found: Estimate, even: float, above: str, below: str, level: str = "no lean seen") -> str:
    """`above` or `below` where the whole interval lies on one side of `even`, else `level`."""
    if not found.known:
        return "not measured"
    return above if found.low > even else below if found.high < even else level
