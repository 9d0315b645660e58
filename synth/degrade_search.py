"""Copies of a picture made worse, and the strength at which one is as like the picture as is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np

from ..models.imaging import decoded, encoded
from .pixel_ops import OPS

if TYPE_CHECKING:
    from PIL.Image import Image

HALVINGS: Final = 8
"""Strengths tried between two that lie on either side of the band."""
Band = tuple[float, float]
Likeness = Callable[[Sequence[bytes]], Sequence[float]]


@final
@dataclass(frozen=True)
class Clean:
    """A picture before it is degraded: its bytes and its pixels."""

    data: bytes
    pixels: Image

    @classmethod
    def of(cls, data: bytes) -> Clean:
        """The picture of these bytes; RowError when they are none."""
        return cls(data, decoded(data))

    def worse(self, kind: str, strength: float, seed: int) -> bytes | None:
        """The degraded picture in the same format; None when not a pixel has changed."""
        from PIL import ImageChops

        found = OPS[kind].apply(self.pixels, strength, seed)
        changed = ImageChops.difference(found, self.pixels).getbbox()
        return encoded(found, self.data) if changed else None


@final
@dataclass(frozen=True)
class Attempt:
    """A degraded copy (None = nothing changed) and its cosine to the clean picture, NaN = not measured."""

    kind: str
    seed: int
    strength: float
    image: bytes | None
    similarity: float = np.nan

    def within(self, band: Band) -> bool:
        """True when there is a copy and its likeness lies in [low, high]."""
        return self.image is not None and band[0] <= self.similarity <= band[1]


@final
@dataclass(frozen=True)
class Search:
    """Tries strengths of one kind and seed; `likeness` gives cosines to the clean picture."""

    clean: Clean
    kind: str
    seed: int
    likeness: Likeness

    def found(self, ladder: Sequence[float], band: Band) -> Attempt:
        """The attempt in the band that is nearest to its middle, else the nearest of all that were tried.

        All strengths of `ladder` are tried at once. When none fits, the gap between two on either side of
        the band is halved up to HALVINGS times; below the ladder it begins at the kind's weakest strength.
        """
        tried = self._attempts(sorted(ladder))
        gap = None if any(attempt.within(band) for attempt in tried) else self._gap(tried, band)
        for _ in range(HALVINGS):
            if gap is None:
                break
            attempt = self._attempts([sum(gap) / 2])[0]
            tried.append(attempt)
            if attempt.within(band):
                break
            gap = (attempt.strength, gap[1]) if attempt.similarity > band[1] else (gap[0], attempt.strength)
        fitting = [attempt for attempt in tried if attempt.within(band)] or tried
        return nearest(fitting, band)

    def _attempts(self, strengths: Sequence[float]) -> list[Attempt]:
        images = [self.clean.worse(self.kind, strength, self.seed) for strength in strengths]
        cosines = iter(self.likeness([image for image in images if image is not None]))
        return [
            Attempt(self.kind, self.seed, strength, image, 1.0 if image is None else float(next(cosines)))
            for strength, image in zip(strengths, images, strict=True)
        ]

    def _gap(self, tried: Sequence[Attempt], band: Band) -> Band | None:
        """Neighbouring strengths with likeness above and below the band; None when all are too like."""
        before = OPS[self.kind].low
        for attempt in tried:
            if attempt.similarity < band[0]:
                return before, attempt.strength
            before = attempt.strength
        return None


def nearest(attempts: Sequence[Attempt], band: Band) -> Attempt:
    """The attempt whose likeness is nearest to the middle of the band."""
    return min(attempts, key=lambda attempt: abs(attempt.similarity - sum(band) / 2))
