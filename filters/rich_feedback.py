"""Rich feedback on pictures: which words of the prompt are missed, and where the picture is flawed."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.errors import RowError
from ..core.registry import register
from ..core.row import IMAGE, last_user_text
from ..core.stage import Columns, Context, Score
from ..models.imaging import bytes_of, decoded

_SPLIT: Final = re.compile(r'[,.?!":; ]+')
_TEXTS: Final = pa.list_(pa.string())
_PAPER: Final = "Rich Human Feedback (RichHF-18K), CVPR 2024"


@final
@register("score.rich_tokens")
class RichTokens(Score):
    """Read labels of a prompt's words: which of them the picture misses, and their share.

    A prompt is split on spaces and , . ? ! " : ; and the number of labels must be that of its words,
    else the row has no share. `_prompt` is the prompt without the words that are missed: what the picture
    does show, as the other side of a contrast of prompts.
    """

    reads = ("prompt", "{labels}")
    writes = (
        Column("{column}", "words of the prompt", _TEXTS),
        Column("{column}_missed", "words the picture misses", _TEXTS),
        Column("{column}_share", "share of words the picture shows", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_prompt", "the prompt's words without those missed; null when none is", pa.string()),
        Column("{column}_outcome", "ok, no labels, unlike numbers, or not labels", pa.string()),
    )
    paper = _PAPER

    labels: str = "prompt_misalignment_label"
    """Column of labels, 0 = missed and 1 = shown: a text with spaces between, or a list of numbers."""
    column: str = "tokens"
    """What the names of the columns begin with."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        prompts, labels = last_user_text(batch["prompt"]).to_pylist(), batch[self.labels].to_pylist()
        rows = [self._told(prompt or "", label) for prompt, label in zip(prompts, labels, strict=True)]
        return {c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in self.columns_written()}

    def _told(self, prompt: str, label: str | Sequence[float] | None) -> dict[str, Any]:
        words = tokens(prompt)
        found: dict[str, Any] = {self.column: words}
        given = label.split() if isinstance(label, str) else list(label or ())
        if not given or len(given) != len(words):
            return found | {f"{self.column}_outcome": "unlike numbers" if given else "no labels"}
        if any(one not in (0, 1, "0", "1") for one in given):
            return found | {f"{self.column}_outcome": "not labels"}
        shown = [str(int(one)) == "1" for one in given]
        missed = [word for word, there in zip(words, shown, strict=True) if not there]
        rest = " ".join(word for word, there in zip(words, shown, strict=True) if there)
        return found | {
            f"{self.column}_missed": missed, f"{self.column}_share": sum(shown) / len(shown),
            f"{self.column}_prompt": rest if missed and rest else None, f"{self.column}_outcome": "ok",
        }  # fmt: skip


@final
@register("mask.from_heatmap")
class MaskFromHeatmap(Score):
    """Turn maps of where a picture is flawed into masks: above a share of the largest value, then widened.

    The mask is white where the picture is to be painted anew. A map that is dark everywhere gives none:
    there is nothing to mend. `_area` is the share of the picture that is masked.
    """

    reads = ("{heatmap}",)
    writes = (
        Column("{column}", "white where the picture is flawed, PNG", IMAGE),
        Column("{column}_area", "share of the picture that is masked", pa.float64(), "share", 0, 1, "neither"),
        Column("{column}_outcome", "ok, no map, nothing marked, or unreadable", pa.string()),
    )
    paper = f"{_PAPER} (mending by masks); threshold and widening: house"

    heatmap: str = "artifact_map"
    """Column of maps of one channel, brighter = more flawed: an image, its bytes, or rows of numbers."""
    column: str = "mask"
    """What the names of the columns begin with."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What is masked, as a share of the map's own largest value."""
    least: Annotated[int, Field(ge=1, le=255)] = 16
    """A map whose largest value is smaller, out of 255, marks nothing."""
    widen: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """How far the mask reaches beyond, as a share of the map's longer side."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rows = [self._told(one) for one in batch[self.heatmap].to_pylist()]
        return {c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in self.columns_written()}

    def _told(self, given: Any) -> dict[str, Any]:
        try:
            levels = heat(given)
        except RowError:
            return {f"{self.column}_outcome": "unreadable"}
        if levels is None or levels.max(initial=0) < self.least:
            return {f"{self.column}_outcome": "no map" if levels is None else "nothing marked"}
        mask = widened(levels >= self.threshold * levels.max(), round(self.widen * max(levels.shape)))
        return {
            self.column: {"bytes": _png(mask), "path": None}, f"{self.column}_area": float(mask.mean()),
            f"{self.column}_outcome": "ok",
        }  # fmt: skip


def tokens(prompt: str) -> list[str]:
    """The words of a prompt as RichHF-18K labels them: split on , . ? ! " : ; and spaces, empty ones left out."""
    return [word for word in _SPLIT.split(prompt) if word]


def heat(given: Any) -> np.ndarray | None:
    """A map as float64 [height, width] in 0 … 255; None for no map. Raises RowError for what is none."""
    if given is None or (isinstance(given, dict) and given.get("bytes") is None and not given.get("path")):
        return None
    if isinstance(given, (bytes, dict)):
        data = given if isinstance(given, bytes) else bytes_of(given)
        return np.asarray(decoded(data).convert("L"), np.float64)
    rows = [list(row or ()) for row in given]
    if (
        not rows
        or not rows[0]
        or len({len(row) for row in rows}) > 1
        or any(one is None for row in rows for one in row)
    ):
        raise RowError("a map that is no rectangle of numbers")
    return np.asarray(rows, np.float64)


def widened(mask: np.ndarray, reach: int) -> np.ndarray:
    """bool [h, w]: the mask with everything within `reach` points of it, in a disc."""
    from scipy.ndimage import distance_transform_edt

    if reach <= 0 or not mask.any():
        return mask
    return np.asarray(distance_transform_edt(~mask) <= reach)


def _png(mask: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray((mask * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
