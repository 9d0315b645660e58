"""Texts through the text tower of an image-text model, in groups of one fixed shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, final

import numpy as np

from .image_passes import ImagePasses
from .running import each_once, texts_once, unit_rows

STEP: Final = 16
"""Texts of a model with a mask are padded to a multiple of so many tokens."""


@final
class Reading:
    """A tokenizer, the longest text a model was made for, and whether every text is padded to that length."""

    def __init__(self, tokenizer: Any, most: int, fixed: bool, truncate: bool) -> None:
        self._tokenizer, self.most, self._fixed, self._truncate = tokenizer, most, fixed, truncate

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, special ones included; longer than `most` when the text is."""
        cut = {"truncation": True, "max_length": self.most} if self._truncate else {"truncation": False}
        found: list[list[int]] = self._tokenizer(list(texts), verbose=False, **cut)["input_ids"] if texts else []
        return found

    def widths(self, ids: Sequence[Sequence[int]]) -> dict[int, list[int]]:
        """Which of the texts are padded to which number of tokens; those that are too long to none."""
        found: dict[int, list[int]] = {}
        for k, tokens in enumerate(ids):
            if len(tokens) <= self.most:
                width = self.most if self._fixed else min(-(-len(tokens) // STEP) * STEP, self.most)
                found.setdefault(width, []).append(k)
        return dict(sorted(found.items()))

    def feed(self, ids: Sequence[Sequence[int]], width: int, device: Any) -> dict[str, Any]:
        """The tokens as the model takes them, [n, width] each."""
        given = {"input_ids": [list(tokens) for tokens in ids]}
        padded = self._tokenizer.pad(given, padding="max_length", max_length=width, return_tensors="pt")
        return {name: tensor.to(device) for name, tensor in padded.items()}


def encoded_texts(
    texts: Sequence[str], dim: int, passes: ImagePasses, reading: Reading, look: Callable[[Mapping[str, Any]], Any]
) -> np.ndarray:
    """Unit vectors float32 [n, dim]; each distinct text once; NaN for one that is too long."""
    distinct, index = texts_once(texts)
    ids = reading.ids(distinct)
    rows = np.full((len(distinct), dim), np.nan, np.float32)
    for width, members in reading.widths(ids).items():
        for group in passes.groups(members):
            feed = reading.feed([ids[k] for k in group], width, passes.device)
            rows[group] = unit_rows(passes.run(look, feed))
    return np.take(rows, index, axis=0)


def encoded_images(images: Sequence[bytes], dim: int, passes: ImagePasses, look: Callable[[Any], Any]) -> np.ndarray:
    """Unit vectors float32 [n, dim]; each distinct image once. Raises RowError naming a bad one."""
    distinct, index = each_once(images, bytes)
    rows = np.empty((len(distinct), dim), np.float32)
    start = 0
    for found in passes.images(distinct, look):
        rows[start : start + len(found)] = unit_rows(found)
        start += len(found)
    return np.take(rows, index, axis=0)
