"""Fakes for tests, examples and dry runs: real interfaces, deterministic answers, no weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .running import each_once, unit_rows


@final
@dataclass(frozen=True)
class FakeTextEncoder:
    """Each word is a pseudo-random vector, a text their sum: shared words make texts alike."""

    name: ClassVar[str] = "fake_text"
    persist: ClassVar[bool] = False

    dim: int = 64
    """Length of a vector."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dim]; zeros for a text without words."""
        distinct, index = each_once(texts, str)
        rows = np.zeros((len(distinct), self.dim), np.float32)
        for k, text in enumerate(distinct):
            for word in text.lower().split():
                rows[k] += _hashed(word.encode("utf-8", "surrogatepass"), self.dim)
        return np.take(unit_rows(rows), index, axis=0)


@final
@dataclass(frozen=True)
class FakeImageEncoder:
    """Each byte string is its own pseudo-random vector; nothing is decoded."""

    name: ClassVar[str] = "fake_image"
    persist: ClassVar[bool] = False

    dim: int = 64
    """Length of a vector."""

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        """Unit vectors float32 [n, dim]: equal bytes are equal, others nearly orthogonal."""
        distinct, index = each_once(images, bytes)
        rows = np.zeros((len(distinct), self.dim), np.float32)
        for k, image in enumerate(distinct):
            rows[k] = _hashed(image, self.dim)
        return np.take(unit_rows(rows), index, axis=0)


@final
@model("fake_text")
class FakeTextSpec(ModelSpec):
    """A fake text encoder: hashed words, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "text_encoder"

    dim: Annotated[int, Field(ge=2, le=4096)] = 64
    """Length of a vector."""

    def load(self) -> FakeTextEncoder:
        """The fake."""
        return FakeTextEncoder(self.dim)


@final
@model("fake_image")
class FakeImageSpec(ModelSpec):
    """A fake image encoder: hashed bytes, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "image_encoder"

    dim: Annotated[int, Field(ge=2, le=4096)] = 64
    """Length of a vector."""

    def load(self) -> FakeImageEncoder:
        """The fake."""
        return FakeImageEncoder(self.dim)


@lru_cache(maxsize=65536)
def _hashed(value: bytes, dim: int) -> np.ndarray:
    # A hash rather than numpy's generator, whose stream may change between versions.
    bits = np.frombuffer(hashlib.shake_256(value).digest(2 * dim), "<u2")
    return (bits.astype(np.float32) - 32767.5) / np.float32(32768)
