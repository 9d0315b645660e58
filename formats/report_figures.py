"""Figures of the report as inline SVG strings: colours come from the page's CSS, text is escaped.

Every figure carries `role="img"` and a sentence as its label; numbers stand in tables beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from .report_text import MINUS, count, excerpt

PALETTE = 8
"""Number of topic colours (`t1` … `t8`) the stylesheet defines."""


def stage_bar(rows_in: int, rows_out: int, dropped: int, widest: int) -> str:
    """Rows out and rows gone, side by side, against the widest stage; stretches to its cell."""
    if not widest:
        return ""
    kept = 1000 * rows_out / widest
    gone = 1000 * dropped / widest
    gone = max(gone, 2.0) if dropped else 0.0
    body = (
        f'<rect class="kept" x="0" y="0" width="{kept:.1f}" height="14" rx="1"/>'
        f'<rect class="gone" x="{kept:.1f}" y="0" width="{gone:.1f}" height="14"/>'
    )
    words = f"{count(rows_in)} rows in, {count(rows_out)} out"
    return svg_of(1000, 14, body, words, "level", stretch=True)


def share_bar(share: float, label: str, tone: str = "kept") -> str:
    """One bar for a share in [0, 1] of its cell's width."""
    width = 1000 * min(max(share, 0.0), 1.0)
    body = f'<rect class="{tone}" x="0" y="0" width="{width:.1f}" height="14"/>'
    return svg_of(1000, 14, body, label, "level", stretch=True)


def river(steps: Sequence[tuple[str, int, int, str]], label: str) -> str:
    """The rows as a stream from left to right: (stage, rows out, rows gone, main reason) each.

    What is dropped falls away below the stage that dropped it. Empty for fewer than two steps.
    """
    if len(steps) < 2:
        return ""
    width, top, room, floor = 1040.0, 62.0, 120.0, 268.0
    step = (width - 24) / len(steps)
    widest = max(max(out + gone for _, out, gone, _ in steps), 1)
    parts, texts, drops = [], [], []
    height = max(room * steps[0][1] / widest, 1.5)
    for k, (name, out, gone, reason) in enumerate(steps):
        x = 12 + k * step
        inlet, height = height, max(room * out / widest, 1.5 if out else 0.0)
        parts.append(_stream(x, x + step, top, inlet if k else height, height, last=k == len(steps) - 1))
        if gone and k:
            depth = max(room * gone / widest, 1.5)
            drops.append(_fall(x, top + height, depth, min(depth, step * 0.45), floor - 46))
            texts.append(f'<text class="loss" x="{x + 8:.1f}" y="{floor - 24}">{MINUS}{count(gone)}</text>')
            texts.append(f'<text class="why" x="{x + 8:.1f}" y="{floor - 7}">{_fit(reason, step - 10)}</text>')
        parts.append(f'<rect class="node" x="{x:.1f}" y="{top}" width="3" height="{max(inlet, height):.1f}"/>')
        texts.append(f'<text class="rows" x="{x:.1f}" y="{top - 10}">{count(out)}</text>')
        texts.append(f'<text class="name" x="{x:.1f}" y="{top - 32}">{_fit(name, step - 8)}</text>')
    fade = (
        '<defs><linearGradient id="fall" x1="0" y1="0" x2="0" y2="1">'
        '<stop offset="0" class="fall-a"/><stop offset="1" class="fall-b"/></linearGradient></defs>'
    )
    return svg_of(width, floor, fade + "".join(drops + parts + texts), label, "river")


def scatter(points: np.ndarray, topics: np.ndarray, kept: np.ndarray, titles: Sequence[str], label: str) -> str:
    """Points [n, 2] coloured by topic [n] (0-based); kept ones filled, dropped ones rings."""
    width, height, pad = 640.0, 460.0, 18.0
    low, high = points.min(axis=0), points.max(axis=0)
    unit = (points - low) / np.where(high > low, high - low, 1.0)
    xs, ys = pad + unit[:, 0] * (width - 2 * pad), height - pad - unit[:, 1] * (height - 2 * pad)
    rings, dots = list[str](), list[str]()
    for k, title in enumerate(titles):
        tone = f"t{int(topics[k]) % PALETTE + 1}"
        mark = f'<circle class="{tone}" cx="{xs[k]:.1f}" cy="{ys[k]:.1f}" r="3.4">'
        (dots if kept[k] else rings).append(f"{mark}<title>{escape(title)}</title></circle>")
    badges = []
    for topic in np.unique(topics):
        x, y = float(np.median(xs[topics == topic])), float(np.median(ys[topics == topic]))
        badges.append(
            f'<g class="badge t{int(topic) % PALETTE + 1}"><circle cx="{x:.1f}" cy="{y:.1f}" r="13"/>'
            f'<text x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle">{int(topic) + 1}</text></g>'
        )
    body = f'<g class="rings">{"".join(rings)}</g><g class="dots">{"".join(dots)}</g>{"".join(badges)}'
    return svg_of(width, height, body, label, "scatter")


def balance(before: float | None, after: float | None, label: str, *, half: bool = True) -> str:
    """Two shares of [0, 1] as bars, with the line of one half."""
    rows = [("before", before, 26.0), ("after", after, 62.0)]
    body = []
    for name, share, y in rows:
        body.append(f'<rect class="track" x="52" y="{y}" width="300" height="20" rx="2"/>')
        if share is not None:
            body.append(f'<rect class="{name}" x="52" y="{y}" width="{300 * share:.1f}" height="20" rx="2"/>')
        body.append(f'<text x="46" y="{y + 14}" text-anchor="end">{name}</text>')
    if half:
        body.append('<line class="half" x1="202" x2="202" y1="18" y2="90"/>')
        body.append('<text x="202" y="12" text-anchor="middle">one half</text>')
    return svg_of(360, 96, "".join(body), label, "balance")


def interval(value: float, low: float, high: float, axis: tuple[float, float], label: str, mark: float = 0.5) -> str:
    """A point and its interval on an axis; `mark` is the place that means nothing was found."""
    start, end = axis

    def x(place: float) -> float:
        return 6 + 228 * (place - start) / max(end - start, 1e-9)

    body = '<line class="track" x1="6" x2="234" y1="10" y2="10"/>'
    if start < mark < end:
        body += f'<line class="half" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="1" y2="19"/>'
    body += f'<line class="span" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="10" y2="10"/>'
    body += f'<circle class="point" cx="{x(value):.1f}" cy="10" r="4.5"/>'
    return svg_of(240, 20, body, label, "interval")


def svg_of(width: float, height: float, body: str, label: str, kind: str, *, stretch: bool = False) -> str:
    """An SVG figure of the page: its size in user units, its content, the sentence that labels it, its CSS class."""
    fit = ' preserveAspectRatio="none"' if stretch else ""
    return (
        f'<svg class="figure {kind}" viewBox="0 0 {width:g} {height:g}"{fit} role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def _stream(x: float, end: float, top: float, inlet: float, height: float, *, last: bool) -> str:
    turn = x + 3 + min(34.0, (end - x) * 0.4)
    floor = top + height
    tail = f"L{end:.1f} {top}L{end:.1f} {floor:.1f}"
    if last:
        tail = f"L{end - 10:.1f} {top}L{end:.1f} {top + height / 2:.1f}L{end - 10:.1f} {floor:.1f}"
    start = min(inlet, height)  # what goes leaves at the node, what is made grows after it
    return (
        f'<path class="stream" d="M{x:.1f} {top}{tail}L{turn:.1f} {top + height:.1f}'
        f'C{(x + turn) / 2:.1f} {top + height:.1f} {(x + turn) / 2:.1f} {top + start:.1f} {x:.1f} {top + start:.1f}z"/>'
    )


def _fall(x: float, top: float, depth: float, width: float, floor: float) -> str:
    bend, near, far, under = top + depth + 26, x + 8, x + 8 + width, top + depth
    return (
        f'<path class="fall" fill="url(#fall)" d="M{x:.1f} {top:.1f}'
        f"C{x + width:.1f} {top:.1f} {far:.1f} {top + depth * 0.4:.1f} {far:.1f} {bend:.1f}"
        f"V{floor:.1f}H{near:.1f}V{bend:.1f}"
        f'C{near:.1f} {under + 6:.1f} {x + 4:.1f} {under:.1f} {x:.1f} {under:.1f}z"/>'
    )


def _fit(text: str, room: float) -> str:
    return escape(excerpt(text, max(6, int(room / 6.4))))
