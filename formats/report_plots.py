"""Figures of the report's gallery as inline SVG: a score against strength, two scores with their window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, final

import numpy as np

from .report_figures import PALETTE, svg_of
from .report_text import figure, tick

Window = tuple[float | None, float | None]
OPEN: Final[Window] = (None, None)
"""A window without bounds."""
WIDE: Final = 50.0
"""Ratio of the 90 % to the 10 % quantile from which an axis goes by ratios."""


@final
@dataclass(frozen=True)
class Axis:
    """A range of values laid over a range of pixels, evenly or (`log`) by their ratios."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies, in pixels; values outside lie at the ends."""
        low, high, place = (math.log(max(v, 1e-300)) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * min(max((place - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> tuple[float, float, float]:
        """The ends and the middle."""
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return self.low, middle, self.high


def axis(values: np.ndarray, start: float, end: float) -> Axis:
    """An axis that holds all values with a little room; finite values, one at least.

    It goes by ratios where values are positive and most of them spread over WIDE or more.
    """
    low, high = float(values.min()), float(values.max())
    few, many = np.quantile(values, [0.1, 0.9]).tolist()
    if low > 0 and many > WIDE * few:
        return Axis(low / 1.2, high * 1.2, start, end, log=True)
    room = 0.04 * (high - low) or max(abs(low), 1.0) * 0.1
    return Axis(low - room, high + room, start, end)


def strength_curve(
    names: Sequence[str], mean: Sequence[float], low: np.ndarray, high: np.ndarray, window: Window, label: str
) -> str:
    """Mean, and middle half from `low` to `high`, of a cosine at each strength named; the window is shaded."""
    y = Axis(0.0 if low.min(initial=0) >= 0 else -1.0, 1.0, 140.0, 12.0)
    step = 312 / max(len(names), 1)
    xs = [38 + step * (k + 0.5) for k in range(len(names))]
    ups = [f"{x:.1f} {y.at(value):.1f}" for x, value in zip(xs, high.tolist(), strict=True)]
    downs = [f"{x:.1f} {y.at(value):.1f}" for x, value in zip(xs, low.tolist(), strict=True)]
    line = " ".join(f"{x:.1f},{y.at(value):.1f}" for x, value in zip(xs, mean, strict=True))
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y.at(value):.1f}" r="4"><title>{escape(name)}: {figure(value)}</title></circle>'
        for x, value, name in zip(xs, mean, names, strict=True)
    )
    grid = _grid(y, 38, 350)
    words = "".join(
        f'<text x="{x:.1f}" y="157" text-anchor="middle">{escape(name)}</text>'
        for x, name in zip(xs, names, strict=True)
    )
    shade = _shade(Axis(0.0, 1.0, 38.0, 350.0), y, OPEN, window)
    spread = f'<path class="spread" d="M{"L".join(ups + downs[::-1])}z"/>' if len(names) > 1 else ""
    body = f'{shade}{grid}{spread}<polyline class="mean" points="{line}"/><g class="means">{dots}</g>{words}'
    return svg_of(360, 166, body, label, "curve")


def score_plane(
    points: np.ndarray, colours: np.ndarray, kept: np.ndarray, names: tuple[str, str], windows: tuple[Window, Window],
    label: str,
) -> str:  # fmt: skip
    """Points [n, 2] in their own units, coloured by code [n]; kept ones filled, others rings; windows shaded."""
    x, y = axis(points[:, 0], 58.0, 628.0), axis(points[:, 1], 348.0, 14.0)
    rings, dots = list[str](), list[str]()
    for point, colour, stays in zip(points.tolist(), colours.tolist(), kept.tolist(), strict=True):
        mark = f'<circle class="t{colour % PALETTE + 1}" cx="{x.at(point[0]):.1f}" cy="{y.at(point[1]):.1f}" r="3.6"/>'
        (dots if stays else rings).append(mark)
    below = "".join(
        f'<text x="{x.at(value):.1f}" y="366" text-anchor="{anchor}">{tick(value)}</text>'
        for value, anchor in zip(x.ticks(), ("start", "middle", "end"), strict=True)
    )
    across, up = (f"{name}, log scale" if each.log else name for name, each in zip(names, (x, y), strict=True))
    titles = (
        f'<text class="title" x="343" y="388" text-anchor="middle">{escape(across)}</text>'
        f'<text class="title" transform="rotate(-90 12 181)" x="12" y="181" text-anchor="middle">'
        f"{escape(up)}</text>"
    )
    body = (
        f'{_shade(x, y, *windows)}{_grid(y, 58, 628)}<g class="rings">{"".join(rings)}</g>'
        f'<g class="dots">{"".join(dots)}</g>{below}{titles}'
    )
    return svg_of(640, 396, body, label, "plane")


def _grid(y: Axis, left: int, right: int) -> str:
    return "".join(
        f'<line class="grid" x1="{left}" x2="{right}" y1="{y.at(value):.1f}" y2="{y.at(value):.1f}"/>'
        f'<text x="{left - 6}" y="{y.at(value) + 4:.1f}" text-anchor="end">{tick(value)}</text>'
        for value in y.ticks()
    )


def _shade(x: Axis, y: Axis, across: Window, up: Window) -> str:
    """The part of the plane inside both windows; nothing where neither has a bound."""
    if not any(end is not None for end in (*across, *up)):
        return ""
    left, right = (
        x.at(end if end is not None else far) for end, far in zip(across, (-math.inf, math.inf), strict=True)
    )
    base, top = (y.at(end if end is not None else far) for end, far in zip(up, (-math.inf, math.inf), strict=True))
    size = f'width="{max(right - left, 0):.1f}" height="{max(base - top, 0):.1f}"'
    return f'<rect class="window" x="{left:.1f}" y="{top:.1f}" {size}/>'
