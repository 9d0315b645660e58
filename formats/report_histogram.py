"""Two histograms in one figure, before and after, with their medians (inline SVG, as in `report_figures`)."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import final

import numpy as np

from .report_figures import svg_of
from .report_text import compact, tick


@final
@dataclass(frozen=True)
class _Bins:
    """Two histograms over the same bins in a picture: where a value and a height stand."""

    edges: np.ndarray
    before: np.ndarray
    after: np.ndarray
    left: float = 6.0
    right: float = 354.0
    top: float = 24.0
    base: float = 128.0

    @property
    def tallest(self) -> float:
        return max(float(self.before.max(initial=0)), float(self.after.max(initial=0)), 1e-12)

    @property
    def ends(self) -> tuple[float, float]:
        return float(self.edges[0]), float(self.edges[-1])

    def x(self, value: float) -> float:
        low, high = self.ends
        return self.left + (self.right - self.left) * (value - low) / (high - low)

    def y(self, height: float) -> float:
        return self.base - (self.base - self.top) * height / self.tallest

    def outline(self) -> str:
        steps = "".join(
            f"V{self.y(float(height)):.1f}H{self.x(float(edge)):.1f}"
            for height, edge in zip(self.before, self.edges[1:], strict=True)
        )
        return f"M{self.left:.1f} {self.base}{steps}V{self.base}z"

    def bars(self) -> str:
        found = []
        for k in np.flatnonzero(self.after > 0):
            a, b = self.x(float(self.edges[k])), self.x(float(self.edges[k + 1]))
            gap = 0.5 if b - a > 3 else 0.0
            top = self.y(float(self.after[k]))
            found.append(f'<path d="M{a + gap:.1f} {self.base}V{top:.1f}H{b - gap:.1f}V{self.base}z"/>')
        return "".join(found)

    def captions(self, unit: str, clipped: tuple[bool, bool], whole: bool) -> str:
        low, high = self.ends
        peak = compact(self.tallest) if unit == "rows" else f"{100 * self.tallest:.0f} %"
        shift = 0.5 if whole else 0.0  # an edge lies half a step outside its number
        first, last = ("≤ " * clipped[0] + tick(low + shift)), ("≥ " * clipped[1] + tick(high - shift))
        middle = "" if whole and (low + high) % 2 else tick((low + high) / 2)
        return (
            f'<text x="{self.left}" y="14">tallest: {peak} {escape(unit)}</text>'
            f'<text x="{self.left}" y="{self.base + 16}">{first}</text>'
            f'<text x="{(self.left + self.right) / 2}" y="{self.base + 16}" text-anchor="middle">{middle}</text>'
            f'<text x="{self.right}" y="{self.base + 16}" text-anchor="end">{last}</text>'
        )


def histogram(
    edges: np.ndarray, before: np.ndarray, after: np.ndarray, *, label: str, unit: str = "rows",
    medians: tuple[float | None, float | None] = (None, None), clipped: tuple[bool, bool] = (False, False),
    whole: bool = False,
) -> str:  # fmt: skip
    """Two histograms over the same bins: edges [b+1], heights [b] each, in the same `unit`; `whole`: a bin a number."""
    bins = _Bins(edges, before, after)
    low, high = bins.ends
    marks = [_median(bins.x(value), bins.top, bins.base, name) for value, name in zip(medians, ("b", "a"), strict=True)
             if value is not None and low <= value <= high]  # fmt: skip
    zero = ""
    if not whole and low < 0 < high:
        zero = f'<line class="zero" x1="{bins.x(0):.1f}" x2="{bins.x(0):.1f}" y1="{bins.top}" y2="{bins.base}"/>'
    body = (
        f'<path class="before" d="{bins.outline()}"/><g class="after">{bins.bars()}</g>{zero}'
        f'<line class="axis" x1="{bins.left}" x2="{bins.right}" y1="{bins.base}" y2="{bins.base}"/>{"".join(marks)}'
        f"{bins.captions(unit, clipped, whole)}"
    )
    return svg_of(360, 150, body, label, "histogram")


def _median(x: float, top: float, base: float, tone: str) -> str:
    stem = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 3}" y2="{base}"/>'
    return f'<g class="median {tone}">{stem}<path d="M{x - 4:.1f} {top - 5}h8l-4 6z"/></g>'
