"""Distributions of scores and lengths before and after, over shared bins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.row import COLUMNS, SYSTEM, answer_text
from .report_compare import Compare, picked
from .report_figures import balance
from .report_histogram import histogram
from .report_measured_data import Distribution, LengthBias, Series
from .report_text import MINUS, figure, percent

if TYPE_CHECKING:
    from ..core.frame import Frame

MOST_COLUMNS: Final = 24
BINS: Final = 36
"""Bins of a large set; a small one has about twice the root of its values."""
FEW: Final = 0.08
"""Below this share of rows kept, bars show shares of their own set: counts would be invisible."""
_PLAIN: Final = ("weight", "p_chosen")


def distributions(compare: Compare) -> tuple[tuple[Distribution, ...], tuple[str, ...]]:
    """One per score column, margins first; and the names of columns beyond MOST_COLUMNS."""
    fields = score_fields(compare)
    drawn, left = fields[:MOST_COLUMNS], fields[MOST_COLUMNS:]
    starts: dict[str, list[str]] = {}
    for field in drawn:
        starts.setdefault(compare.first([field.name]) or "", []).append(field.name)
    before: dict[str, np.ndarray] = {}
    for stage, names in starts.items():
        before |= values_of(compare.view.frame(stage), names)
    after = _after(compare, [field.name for field in drawn])
    found = tuple(_distribution(field, before[field.name], after[field.name]) for field in drawn)
    return found, tuple(field.name for field in left)


def score_fields(compare: Compare) -> list[pa.Field]:
    """Numeric, boolean and per-candidate score columns, margins first, then those with a scorer."""
    if not compare.stages:
        return []
    fields: dict[str, pa.Field] = {}
    for stage in (compare.stages[-1], compare.stages[0]):
        for field in compare.schemas[stage]:
            if _is_score(field):
                fields.setdefault(field.name, field)
    places = list(fields)

    def order(field: pa.Field) -> tuple[bool, bool, bool, int]:
        name = field.name
        return name != "margin", "margin" not in name, not _described(field), places.index(name)

    return sorted(fields.values(), key=order)


def values_of(frame: Frame, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Each column as float64 [n] (or more, for one score a candidate); no value is NaN."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for batch in picked(frame, names):
        for name in names:
            found[name].append(_floats(batch[name]))
    return {name: np.concatenate(parts) if parts else np.empty(0) for name, parts in found.items()}


def length_bias(compare: Compare) -> LengthBias | None:
    """How often the longer answer is chosen; None when no stage had text pairs."""
    before_frame, after_frame = compare.before(["chosen", "rejected"]), compare.after
    if before_frame is None or after_frame is None:
        return None
    before = _length_gaps(before_frame)
    after = _length_gaps(after_frame) if {"chosen", "rejected"} <= set(after_frame.names) else np.empty(0)
    if not np.isfinite(before).any():
        return None
    field = pa.field("length_difference", pa.float64())
    words = "characters of chosen less rejected; right of zero, chosen is longer"
    drawn = _distribution(field, before, after, words)
    shares = longer(before), longer(after)
    label = f"Longer answer chosen: {percent(shares[0])} before, {percent(shares[1])} after"
    return LengthBias(*shares, _unequal(before), _unequal(after), balance(*shares, label), drawn)


def longer(gaps: np.ndarray) -> float | None:
    """Share of pairs with a longer chosen answer among those of unequal length."""
    unequal = _unequal(gaps)
    return float((gaps > 0).sum() / unequal) if unequal else None


def _unequal(gaps: np.ndarray) -> int:
    return int((np.isfinite(gaps) & (gaps != 0)).sum())


def _length_gaps(frame: Frame) -> np.ndarray:
    parts = []
    for batch in picked(frame, ["chosen", "rejected"]):
        chosen, rejected = (pc.utf8_length(answer_text(batch[name])) for name in ("chosen", "rejected"))
        parts.append(_floats(pc.subtract(chosen, rejected)))
    return np.concatenate(parts) if parts else np.empty(0)


def _after(compare: Compare, names: Iterable[str]) -> Mapping[str, np.ndarray]:
    frame = compare.after
    present = [name for name in names if frame is not None and name in frame.names]
    found = values_of(frame, present) if frame is not None and present else {}
    return {name: found.get(name, np.empty(0)) for name in names}


def _distribution(field: pa.Field, before: np.ndarray, after: np.ndarray, words: str = "") -> Distribution:
    about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    left, right = _series("before", before), _series("after", after)
    change = f"{field.name}: median {figure(left.median)} before, {figure(right.median)} after"
    note = ""
    yes = bool(pa.types.is_boolean(field.type))
    if yes:
        told = f"{field.name}: yes for {percent(left.mean)} before, {percent(right.mean)} after"
        svg = balance(left.mean, right.mean, told, half=False)
    else:
        svg, relative = _drawn(before, after, (left.median, right.median), change)
        if relative:
            note = "Heights are shares of each set, as few rows were kept."
    doc = words or about.get("doc", "")
    return Distribution(field.name, doc, _facts(about), svg, left, right, yes, note)


def _drawn(
    before: np.ndarray, after: np.ndarray, medians: tuple[float | None, float | None], label: str
) -> tuple[str, bool]:
    """The figure, and whether its heights are shares of each set instead of rows."""
    before, after = before[np.isfinite(before)], after[np.isfinite(after)]
    both = np.concatenate([before, after])
    if not len(both):
        return "", False
    edges, clipped, whole = bins(both)
    counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(float) for values in (before, after)]
    relative = 0 < len(after) < FEW * len(before)
    if relative:
        counts = [heights / max(heights.sum(), 1) for heights in counts]
    unit = "of the set" if relative else "rows"
    return histogram(edges, *counts, label=label, unit=unit, medians=medians, clipped=clipped, whole=whole), relative


def bins(values: np.ndarray) -> tuple[np.ndarray, tuple[bool, bool], bool]:
    """Edges for finite values, whether values beyond the lowest and highest edge were clipped, and
    whether each bin is one whole number.

    Tails that reach 1.5 times the width of the middle 80 % beyond it are clipped into the end bins.
    """
    low, high = float(values.min()), float(values.max())
    if high - low <= 40 and np.array_equal(values, np.round(values)):
        return np.arange(low - 0.5, high + 1), (False, False), True
    first, last = (float(q) for q in np.quantile(values, [0.1, 0.9]))
    reach = 1.5 * (last - first)
    cut = (reach > 0 and low < first - reach, reach > 0 and high > last + reach)
    low, high = first - reach if cut[0] else low, last + reach if cut[1] else high
    if high <= low:
        return np.array([low - 0.5, low + 0.5]), (False, False), False
    number = min(BINS, max(8, round(2 * len(values) ** 0.5)))
    return np.linspace(low, high, number + 1), cut, False


def _series(label: str, values: np.ndarray) -> Series:
    finite = values[np.isfinite(values)]
    nulls = len(values) - len(finite)
    if not len(finite):
        return Series(label, 0, nulls, None, None, None, None)
    low, middle, high = (float(q) for q in np.quantile(finite, [0.1, 0.5, 0.9]))
    return Series(label, len(finite), nulls, low, middle, high, float(finite.mean()))


def _facts(about: Mapping[str, str]) -> tuple[str, ...]:
    low, high = (about.get(end, "").replace("-", MINUS) for end in ("low", "high"))
    ranged = f"range {low or '−∞'} to {high or '∞'}" if low or high else ""
    writer = f"by {about['scorer']}" if "scorer" in about else ""
    better = about.get("better", "")
    parts = (writer, about.get("unit", ""), ranged, "" if better == "neither" else better)
    return tuple(part for part in parts if part)


def _described(field: pa.Field) -> bool:
    return b"scorer" in (field.metadata or {})


def _is_score(field: pa.Field) -> bool:
    kind = field.type
    if field.name in SYSTEM or (field.name in COLUMNS and field.name not in _PLAIN) or field.name == "gold":
        return False
    if field.name.endswith(("_hash", "_id")) or field.name == "pos":
        return False
    if pa.types.is_list(kind):
        return _described(field) and pa.types.is_floating(kind.value_type)
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _floats(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_list(array.type):
        array = array.flatten()
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    return np.asarray(array.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False), np.float64)
