"""A fake captioner: the colours of a picture, most of it first, no weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np

from ..core.registry import ModelSpec, model
from .fake_detector import COLOURS, nearest_colours


@final
class FakeCaptioner:
    """Names every colour that fills a twentieth of a picture."""

    name: ClassVar[str] = "fake_captioner"

    def caption(self, images: Sequence[bytes]) -> list[str]:
        """Such as "a picture of red and grey". Raises RowError naming bytes that are no image."""
        return [_told(nearest_colours(image, k)) for k, image in enumerate(images)]


@final
@model("fake_captioner")
class FakeCaptionerSpec(ModelSpec):
    """A fake captioner of colours, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "captioner"

    def load(self) -> FakeCaptioner:
        """The fake."""
        return FakeCaptioner()


def _told(colours: np.ndarray) -> str:
    shares = np.bincount(colours.ravel(), minlength=len(COLOURS)) / colours.size
    order = np.argsort(-shares, kind="stable")
    return "a picture of " + " and ".join(list(COLOURS)[k] for k in order if shares[k] >= 0.05)
