"""A diffusion pipeline and what it can be asked from: text, a picture to begin from, a mask, a reference."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any, Final, final

from ..core.errors import CallRefused
from ..core.paid import Request
from .imaging import decoded
from .painter import picture_in

_GRID: Final = 16
"""Sides of a picture that is painted by a mask are multiples of this, which all pipelines take, in pixels."""


@final
class Views:
    """The pipelines that share one pipeline's weights; each is made when it is first needed."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self._takes = parameters(pipe)
        self._made: dict[str, Any] = {}

    @property
    def edits(self) -> bool:
        """True where a picture is a reference to be edited (Kontext), never one to begin from."""
        return "image" in self._takes and not {"strength", "mask_image"} & set(self._takes)

    def refuse(self, request: Request, adapted: bool) -> None:
        """Raise CallRefused for pictures that the pipeline cannot take; `adapted` = with an IP-Adapter."""
        kind = type(self.pipe).__name__
        if "reference" in request and not (adapted or self.edits):
            hint = "give the painter an ip_adapter, or paint from the picture: use_image: start"
            raise CallRefused(f"{kind} takes no reference picture", hint=hint)
        if "mask" in request and "image" not in request:
            raise CallRefused("a mask without the picture it is of", hint="give both")
        if "mask" in request and self.edits:
            raise CallRefused(f"{kind} does not paint by a mask", hint="name a pipeline that begins from pictures")
        if "mask" not in request and "mask_image" in self._takes:
            raise CallRefused(f"{kind} paints only where a mask says", hint="use synth.repaint, or another pipeline")
        if self.edits and ("strength" in request or {"image", "reference"} <= set(request)):
            raise CallRefused(f"{kind} takes one picture and no strength", hint="leave the rest out (strength: null)")

    def of(self, request: Request) -> Any:
        """The pipeline a request is for. Raises CallRefused when it has no such form."""
        if "image" not in request or "mask_image" in self._takes:
            return self.pipe
        from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

        if "mask" in request:
            return self._view(AutoPipelineForInpainting, "paint by a mask")
        return self._view(AutoPipelineForImage2Image, "begin from a picture")

    def _view(self, auto: Any, what: str) -> Any:
        if what not in self._made:
            try:
                self._made[what] = auto.from_pipe(self.pipe)
            except ValueError as error:
                cause = f"{type(self.pipe).__name__} cannot {what}"
                raise CallRefused(cause, hint="paint from text, or with a reference") from error
            self._made[what].set_progress_bar_config(disable=True)
        return self._made[what]


def begun(request: Request, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The picture to begin from, its mask and their size, as arguments of a pipeline; {} without a picture.

    Without a mask the picture is cut to the wanted proportions. With one it keeps its own, so that what is
    painted can be put back into it, and the wanted size bounds its area.
    """
    from PIL import Image, ImageOps

    start, mask = picture_in(request, "image"), picture_in(request, "mask")
    if start is None:
        return {}
    picture = decoded(start)
    size = settings.get("width", picture.width), settings.get("height", picture.height)
    if mask is None:
        return {"image": picture if size == picture.size else ImageOps.fit(picture, size)}
    most = size[0] * size[1] if {"width", "height"} <= set(settings) else None
    width, height = frame(picture.size, most)
    region = decoded(mask).convert("L").resize((width, height), Image.Resampling.NEAREST)
    return {"image": picture.resize((width, height)), "mask_image": region, "width": width, "height": height}


def frame(size: tuple[int, int], most: int | None) -> tuple[int, int]:
    """Width and height in pixels near those of `size`, of an area of about `most` or less, multiples of 16."""
    scale = 1.0 if most is None else min(math.sqrt(most / (size[0] * size[1])), 1.0)
    width, height = (max(round(side * scale / _GRID), 1) * _GRID for side in size)
    return width, height


def parameters(pipe: Any) -> Mapping[str, inspect.Parameter]:
    """What a pipeline's call takes, by name."""
    return inspect.signature(type(pipe).__call__).parameters


def default(pipe: Any, name: str) -> Any:
    """The pipeline's own value of a setting; None where it has none."""
    found = parameters(pipe).get(name)
    return None if found is None or found.default is inspect.Parameter.empty else found.default
