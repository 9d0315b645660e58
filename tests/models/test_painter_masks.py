"""Painting by a mask on tiny pipelines: those that begin from pictures, and those made for masks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallRefused
from rather.models.painter import Nag, Sampling, painting_request
from rather.models.painter_views import frame

from .. import tiny_pipelines
from ..painters import TEXT, ask, pictures, spec
from ..pictures import mask, pixels, png

pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")

BEGINS = [
    tiny_pipelines.stable_diffusion,
    tiny_pipelines.stable_diffusion_xl,
    tiny_pipelines.stable_diffusion_3,
    tiny_pipelines.flux,
]
FOR_MASKS = [tiny_pipelines.stable_diffusion_inpaint, partial(tiny_pipelines.flux, kind="FluxFillPipeline")]


def torn(image: bytes = png(), region: bytes = mask(24), seed: int = 1, **settings: Any) -> dict[str, Any]:
    return painting_request("a red dog", seed, Sampling(**({"strength": 0.9} | settings)), image=image, mask=region)


@pytest.mark.full
@pytest.mark.parametrize("make", [*BEGINS, *FOR_MASKS])
def test_the_masked_part_is_painted_anew(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path / "pipeline")
    asked = [torn(), torn(seed=2), torn(region=mask(40)), torn(png(1)), torn(steps=4)]
    first, again, *others = pictures(spec(path), torn(), *asked)
    assert first == again and len({first, *others}) == 5, "seed, mask, picture and steps count"
    assert {pixels(image).shape for image in (first, *others)} == {(32, 32, 3)}, (
        "of 48 × 40 pixels, area and shape kept"
    )


@pytest.mark.full
def test_nag_by_a_mask(tmp_path: Path) -> None:
    for make in (tiny_pipelines.stable_diffusion_inpaint, tiny_pipelines.stable_diffusion_3):
        asked = [torn(), torn(nag=Nag("blurry", 1.0)), torn(nag=Nag("blurry"))]
        plain, off, on = pictures(spec(make(tmp_path / make.__name__)), *asked)
        assert plain == off != on


def test_what_is_painted_of_a_large_picture_keeps_its_shape(sd: Path) -> None:
    """300 × 200 in the area of 64 × 64: a scale of √(4096 / 60000) = .26, so 78 × 52, in sixteens 80 × 48."""
    assert frame((300, 200), 64 * 64) == (80, 48) and frame((300, 201), None) == (304, 208)
    assert frame((40, 25), 1 << 20) == (32, 32) and frame((4, 900), 64) == (16, 128), "never larger but for the grid"
    (reply,) = ask(spec(sd, width=64, height=64), torn(png(0, 300, 200), mask(150, 300, 200)))
    assert (reply.data["settings"]["width"], reply.data["settings"]["height"]) == (80, 48)
    assert "Inpaint" in reply.data["settings"]["pipeline"] and reply.data["settings"]["strength"] == 0.9


def test_masks_that_a_pipeline_cannot_take_are_refused(sd: Path, tmp_path: Path) -> None:
    made_for_masks = tiny_pipelines.stable_diffusion_inpaint(tmp_path / "inpaint")
    for request in (TEXT, painting_request("a", 1, Sampling(strength=0.5), image=png())):
        (reply,) = ask(spec(made_for_masks), request)
        assert isinstance(reply, CallRefused) and "only where a mask says" in reply.show()
    (reply,) = ask(spec(sd), {**TEXT, "mask": torn()["mask"]})
    assert isinstance(reply, CallRefused) and "without the picture" in reply.show()
    (reply,) = ask(spec(tiny_pipelines.flux(tmp_path / "edits", "FluxKontextPipeline")), torn())
    assert isinstance(reply, CallRefused) and "does not paint by a mask" in reply.show()
