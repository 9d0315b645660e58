"""Likeness against strength, and two scores against each other, of a run on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from .report_compare import Compare, kept_in, picked_table
from .report_gallery_data import Curve, Plane, Rung
from .report_plots import OPEN, Window, score_plane, strength_curve
from .report_scores import score_fields
from .report_text import count, figure, percent, tick

POINTS: Final = 1500
MEASURED: Final = 30_000
"""Rows a curve is drawn from at most."""
RUNGS: Final = 6
"""Strengths shown one by one up to this number; more are put together into as many ranges."""
KIND, STRENGTH = "degradation", "strength"
_WINDOWS: Final = {"filter.band": ("low", "high", "similarity"), "filter.margin": ("least", "most", "margin")}


def windows_of(recipe: str) -> dict[str, Window]:
    """Least and most that the recipe's filters keep of each column, in the order of the stages."""
    found: dict[str, Window] = {}
    for entry in (yaml.safe_load(recipe) or {}).get("stages") or ():
        for name, options in entry.items() if isinstance(entry, dict) else ():
            if name in _WINDOWS and isinstance(options, dict):
                low, high, column = _WINDOWS[name]
                found[str(options.get("column", column))] = (options.get(low), options.get(high))
    return {column: window for column, window in found.items() if window != OPEN}


def described(compare: Compare) -> frozenset[str]:
    """The scores of which a stage says what they are."""
    return frozenset(field.name for field in score_fields(compare) if b"scorer" in (field.metadata or {}))


def likeness_column(compare: Compare, windows: Mapping[str, Window]) -> str:
    """The score that tells likeness: `similarity`, what a degradation measured, or another cosine; else empty.

    Of other cosines one that a filter has a window on, then one of the rejected image.
    """
    cosines = [f.name for f in score_fields(compare) if (f.metadata or {}).get(b"unit") == b"cosine" and _number(f)]
    cosines.sort(key=lambda name: (name not in windows, not name.startswith("rejected_")))
    return next((name for name in ("similarity", "degraded_similarity", *cosines) if name in cosines), "")


def curves(compare: Compare, column: str, windows: Mapping[str, Window]) -> tuple[Curve, ...]:
    """One for each kind of degradation; none where no stage wrote kinds and strengths."""
    table = _measured(compare, [KIND, STRENGTH, column], MEASURED) if column else None
    if table is None:
        return ()
    kinds = np.array(table[KIND].to_pylist())
    strength, likeness = (table[name].to_numpy() for name in (STRENGTH, column))
    kept = kept_in(compare, table)
    found = []
    for kind in np.unique(kinds):
        mine = kinds == kind
        part = strength[mine], likeness[mine], kept[mine]
        found.append(_curve(str(kind), column, *part, windows.get(column, OPEN)))
    return tuple(found)


def _curve(
    kind: str, column: str, strength: np.ndarray, likeness: np.ndarray, kept: np.ndarray, window: Window
) -> Curve:
    names, members = _rungs(strength)
    means = [float(likeness[rows].mean()) for rows in members]
    lows, highs = (np.array([np.quantile(likeness[rows], q) for rows in members]) for q in (0.25, 0.75))
    ends = f"{figure(means[0])} at {names[0]}, {figure(means[-1])} at {names[-1]}"
    label = f"{column} against the strength of {kind}: {ends}"
    svg = strength_curve(names, means, lows, highs, window, label)
    rungs = [
        Rung(name, len(rows), figure(mean), f"{figure(low)} – {figure(high)}", percent(float(kept[rows].mean())))
        for name, rows, mean, low, high in zip(names, members, means, lows, highs, strict=True)
    ]
    return Curve(kind.replace("_", " "), svg, tuple(rungs))


def _rungs(strength: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """Names and rows of each strength, or of RUNGS ranges of about as many rows when there are more."""
    values = np.unique(strength)
    if len(values) <= RUNGS:
        return [tick(float(value)) for value in values], [np.flatnonzero(strength == value) for value in values]
    parts = np.array_split(np.argsort(strength, kind="stable"), RUNGS)
    return [tick(float(np.median(strength[rows]))) for rows in parts], list(parts)


def plane(compare: Compare, column: str, windows: Mapping[str, Window]) -> Plane | None:
    """The columns that filters have a window on, the likeness, then other scores: the first two of them."""
    names = [field.name for field in score_fields(compare) if _number(field) and field.name != STRENGTH]
    scores = described(compare)
    names.sort(key=lambda n: (n not in windows, n != column, n not in scores, not n.startswith("rejected_")))
    if len(names) < 2:
        return None
    across, up = names[:2]
    table = _measured(compare, [across, up], POINTS)
    if table is None:
        return None
    kinds = table[KIND].to_pylist() if KIND in table.column_names else [None] * table.num_rows
    keys = sorted({kind for kind in kinds if kind})
    colours = np.array([keys.index(kind) if kind else len(keys) for kind in kinds])
    points = np.stack([table[name].to_numpy().astype(np.float64) for name in (across, up)], axis=1)
    kept = kept_in(compare, table)
    both = windows.get(across, OPEN), windows.get(up, OPEN)
    label = f"{across} against {up} of {count(len(points))} rows, {count(int(kept.sum()))} of them kept"
    svg = score_plane(points, colours, kept, (across, up), both, label)
    told = [_window_words(name, *window) for name, window in zip((across, up), both, strict=True) if window != OPEN]
    return Plane(across, up, " and ".join(told), len(points), svg, tuple(key.replace("_", " ") for key in keys))


def _window_words(name: str, low: float | None, high: float | None) -> str:
    ends = [f"from {figure(low)}" if low is not None else "", f"to {figure(high)}" if high is not None else ""]
    return " ".join([name, *(end for end in ends if end)])


def _number(field: pa.Field) -> bool:
    return bool(pa.types.is_floating(field.type) or pa.types.is_integer(field.type))


def _measured(compare: Compare, columns: Sequence[str], most: int) -> pa.Table | None:
    """Rows that have finite values of all these columns, with id and kind, before anything was decided on them."""
    frame = compare.before(columns)
    if frame is None:
        return None
    extra = [name for name in ("id", KIND) if name in frame.names and name not in columns]
    table = picked_table(frame, [*columns, *extra], most)
    for name in columns:
        known = pc.is_finite(table[name]) if _number(table.schema.field(name)) else pc.is_valid(table[name])
        table = table.filter(pc.fill_null(known, False))
    return table if table.num_rows else None
