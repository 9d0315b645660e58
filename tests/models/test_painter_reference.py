"""Pictures of the painters beside those of diffusers called directly, from the same folders and seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.registry import models
from rather.models.imaging import decoded
from rather.models.painter import Sampling, painting_request, picture_in

from .. import tiny_adapters
from .. import tiny_pipelines as tiny
from ..pictures import pixels, png

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")
pytestmark = pytest.mark.full
SEED = 11


def painted(folder: Path, request: dict[str, Any], **options: Any) -> np.ndarray:
    """The picture, uint8 [32, 32, 3], that a recipe's model gives."""

    async def call() -> bytes:
        backend = models()["diffusers"](path=str(folder), steps=3, width=32, height=32, device="cpu", **options).load()
        reply = await backend.call(request)
        await backend.close()
        return picture_in(reply.data, "image") or b""

    return pixels(asyncio.run(call()))


def directly(pipe: Any, **given: Any) -> np.ndarray:
    """The picture the pipeline itself gives for "a red dog" and the seed."""
    pipe.set_progress_bar_config(disable=True)
    noise = torch.Generator("cpu").manual_seed(SEED)
    return np.asarray(pipe("a red dog", num_inference_steps=3, generator=noise, **given).images[0])


@pytest.mark.parametrize("make", [tiny.stable_diffusion, tiny.stable_diffusion_xl, tiny.stable_diffusion_3, tiny.flux])
def test_a_text_becomes_the_pipeline_s_own_picture(make: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = make(tmp_path / "pipeline")
    expected = directly(diffusers.DiffusionPipeline.from_pretrained(folder), width=32, height=32, guidance_scale=2.5)
    found = painted(folder, painting_request("a red dog", SEED, Sampling(guidance=2.5)))
    assert np.array_equal(found, expected) and np.ptp(expected) > 20
    assert not np.array_equal(painted(folder, painting_request("a red dog", SEED + 1, Sampling(guidance=2.5))), found)


def test_a_picture_becomes_the_pipeline_s_own(tmp_path: Path) -> None:
    folder = tiny.stable_diffusion(tmp_path / "sd")
    pipe = diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(folder)
    expected = directly(pipe, image=decoded(png(3)).resize((32, 32)), strength=0.7)
    resized = tmp_path / "small.png"
    decoded(png(3)).resize((32, 32)).save(resized)
    found = painted(folder, painting_request("a red dog", SEED, Sampling(strength=0.7), image=resized.read_bytes()))
    assert np.array_equal(found, expected) and np.ptp(expected) > 20


@pytest.mark.parametrize("family", ["sd", "flux"])
def test_an_ip_adapter_becomes_the_pipeline_s_own_picture(family: str, tmp_path: Path) -> None:
    flux = family == "flux"
    folder = (tiny.flux if flux else tiny.stable_diffusion)(tmp_path / family)
    adapter = Path((tiny_adapters.flux_ip_adapter if flux else tiny_adapters.ip_adapter)(tmp_path))
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder)
    place: dict[str, Any] = {"subfolder": ""}
    if flux:  # which would load its image encoder in half precision
        encoder = str(adapter.parent / "image_encoder")
        place = {"image_encoder_pretrained_model_name_or_path": encoder, "image_encoder_dtype": torch.float32}
    pipe.load_ip_adapter(str(adapter.parent), weight_name=adapter.name, **place)
    pipe.set_ip_adapter_scale(0.8)
    sized = {"width": 32, "height": 32}
    expected = directly(pipe, ip_adapter_image=decoded(png(5)), **sized)
    request = painting_request("a red dog", SEED, Sampling(), reference=png(5))
    assert np.array_equal(painted(folder, request, ip_adapter=str(adapter), ip_scale=0.8), expected)
    assert not np.array_equal(expected, directly(pipe, ip_adapter_image=decoded(png(6)), **sized))
