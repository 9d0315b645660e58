"""`synth.describe_bins`: numbers as words, and captions in which one word is far off."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, Any, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.journal import canonical
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import ANSWER
from ..core.stage import Columns, Context, Fit

Keywords = Annotated[tuple[str, ...], Field(min_length=2, max_length=20)]


@final
@register("synth.describe_bins")
class DescribeBins(Fit):
    """Put any numeric columns into named bins, and write a caption of them with a wrong one beside it.

    Bins are cut over the whole set, or over each group of `by` for itself (pitch by speaker, sharpness
    by camera): at quantiles, or in equal steps between the ends that `cut` leaves. With a `caption`,
    `chosen` is the caption with the row's words and `rejected` the same with one word at least
    `distance` bins away. No number, or a group with fewer different values than bins, gives no word,
    and then no caption.
    """

    reads = ("id", "{by}?")
    writes = (
        Column("chosen", "the caption with the row's own words"),
        Column("rejected", "the caption with one word far off"),
        Column("flipped", "the column whose word was changed", pa.string()),
    )
    paper = "Natural language guidance of high-fidelity TTS, arXiv 2402.01912 (bins); the negatives: house"

    features: Annotated[dict[str, Keywords], Field(min_length=1)]
    """Columns of numbers, each with its words from low to high, as in sharpness: [blurry, soft, sharp]."""
    edges: Literal["quantile", "hist"] = "quantile"
    """Bins of equal counts, or of equal width."""
    cut: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    """Share of the values at either end that `hist` leaves out of its range; they fall into the end bins."""
    by: str = ""
    """A column whose groups are binned apart; empty = none."""
    caption: str = ""
    """The caption, with {column} for the word of each feature; empty = words only."""
    distance: Annotated[int, Field(ge=1, le=19)] = 2
    """Least number of bins between the true word and the wrong one."""

    def columns_read(self) -> tuple[str, ...]:
        return ("id", *self.features, *([self.by] if self.by else []))

    def columns_written(self) -> tuple[Column, ...]:
        words = [
            column
            for name, words in self.features.items()
            for column in (
                Column(f"{name}_bin", f"bin of {name}, from 0", pa.int32(), "bin", 0, len(words) - 1, "neither"),
                Column(f"{name}_word", f"what that bin of {name} is called", pa.string()),
            )
        ]
        return (*words, *(Fit.columns_written(self) if self.caption else ()))

    def faults(self) -> Sequence[str]:
        named = {name for _, name, _, _ in string.Formatter().parse(self.caption) if name is not None}
        found = [f"caption: no feature is called {name}" for name in sorted(named - set(self.features))]
        if self.caption and not any(len(self.features.get(name, ())) > self.distance for name in named):
            found.append(f"caption: no feature in it has bins {self.distance} apart; give it more words")
        return found

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        groups = narrow.column(self.by) if self.by else None
        bins = {
            name: binned(narrow.column(name), len(words), self.edges, self.cut, groups)
            for name, words in self.features.items()
        }
        found: dict[str, Any] = {}
        for name, words in self.features.items():
            missing = bins[name] < 0
            found[f"{name}_bin"] = pa.array(bins[name], pa.int32(), mask=missing)
            found[f"{name}_word"] = pa.array(np.array(words, object)[bins[name]], pa.string(), mask=missing)
        if self.caption:
            found.update(self._captions(narrow.column("id").to_pylist(), bins, ctx))
        return found

    def _captions(self, ids: Sequence[str], bins: Mapping[str, np.ndarray], ctx: Context) -> Columns:
        rows = [self._pair({name: int(own[i]) for name, own in bins.items()}, ctx, row) for i, row in enumerate(ids)]
        chosen, rejected, flipped = zip(*rows, strict=True) if rows else ((), (), ())
        return {
            "chosen": pa.array(chosen, ANSWER), "rejected": pa.array(rejected, ANSWER),
            "flipped": pa.array(flipped, pa.string()),
        }  # fmt: skip

    def _pair(self, bins: Mapping[str, int], ctx: Context, row: str) -> tuple[Any, Any, str | None]:
        named = [name for _, name, _, _ in string.Formatter().parse(self.caption) if name is not None]
        if any(bins[name] < 0 for name in named):
            return None, None, None
        true = {name: self.features[name][bins[name]] for name in named}
        chosen = {"text": self.caption.format(**true)}
        flip = self._flip({name: bins[name] for name in dict.fromkeys(named)}, ctx.rng(row))
        if flip is None:
            return chosen, None, None
        name, place = flip
        word = self.features[name][place]
        params = {"column": name, "before": true[name], "after": word, "bins": abs(place - bins[name])}
        origin = {"stage": self.name, "method": "flip_bin", "params": canonical(params), "seed": ctx.seed}
        return chosen, {"text": self.caption.format(**(true | {name: word})), "made_by": origin}, name

    def _flip(self, bins: Mapping[str, int], rng: Random) -> tuple[str, int] | None:
        """One of the words that are far enough from the true one, each as likely."""
        far = [
            (name, place)
            for name, own in bins.items()
            for place in range(len(self.features[name]))
            if abs(place - own) >= self.distance
        ]
        return rng.choice(far) if far else None


def binned(
    values: pa.Array, count: int, edges: Literal["quantile", "hist"], cut: float, groups: pa.Array | None = None
) -> np.ndarray:
    """int64 [n]: the bin of each value, 0 … count - 1, group by group; -1 without a number or enough of them.

    A value on an edge falls into the upper bin.
    """
    numbers = np.asarray(values.cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False), np.float64)
    codes = np.zeros(len(numbers), np.int64)
    if groups is not None:
        codes = groups.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    found = np.full(len(numbers), -1, np.int64)
    for code in np.unique(codes):
        own = np.flatnonzero((codes == code) & np.isfinite(numbers))
        if len(np.unique(numbers[own])) >= count:
            found[own] = np.searchsorted(_edges(numbers[own], count, edges, cut), numbers[own], side="right")
    return found


def _edges(numbers: np.ndarray, count: int, edges: str, cut: float) -> np.ndarray:
    """The count - 1 inner edges, rising."""
    if edges == "quantile":
        return np.asarray(np.quantile(numbers, np.arange(1, count) / count))
    low, high = np.quantile(numbers, [cut, 1 - cut])
    return np.linspace(low, high, count + 1)[1:-1]
