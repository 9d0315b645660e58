"""Diagnoses in the report: figures with intervals and a reading, from the facts any `diagnose.*` left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .report_figures import interval
from .report_measured_data import Diagnosis, Measured
from .report_text import figure

if TYPE_CHECKING:
    from ..core.view import RunView


def diagnoses_of(view: RunView) -> tuple[Diagnosis, ...]:
    """One table for each `diagnose.*` stage whose facts hold `measures`."""
    kinds = {line.stage: line.kind for line in view.funnel}
    return tuple(
        _diagnosis(stage, facts)
        for stage, facts in view.facts.items()
        if kinds.get(stage, stage).startswith("diagnose.") and facts.get("measures")
    )


def _diagnosis(stage: str, facts: Mapping[str, Any]) -> Diagnosis:
    why = str(facts.get("why") or facts.get("warning") or "")
    return Diagnosis(stage, bool(facts.get("refused")), why, tuple(_measured(line) for line in facts["measures"]))


def _measured(line: Mapping[str, Any]) -> Measured:
    """A line with its interval drawn on an axis of its own where it has one; a share's axis is 0 to 1."""
    value, low, high = line["value"], line["low"], line["high"]
    svg = ""
    if None not in (value, low, high):
        share = min(low, value) >= 0 and max(high, value) <= 1
        widest = max(abs(low), abs(high), 1.0)
        axis = (0.0, 1.0) if share else (-widest, widest)
        svg = interval(value, low, high, axis, f"{line['measure']}: {figure(value)}", 0.5 if share else 0.0)
    span = f"{figure(low)} to {figure(high)}" if svg else ""
    return Measured(str(line["measure"]), figure(value), span, svg, str(line.get("reading") or ""))
