"""The fake painter: same request, same pixels; what is degraded shows; and the shapes of requests and replies."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter
from rather.core.errors import RowError
from rather.core.paid import Reply
from rather.models.fake_painter import FakePainterSpec
from rather.models.painter import Nag, Sampling, paint, painting_request

from ..pictures import mask, pixels, png, sharpness


class Direct:
    """A painter asked without a journal."""

    def __init__(self, **options: Any) -> None:
        self.backend = FakePainterSpec(**options).load()

    async def ask(self, request: Any, attempt: int = 0) -> Reply:
        return await self.backend.call(request)


def painted(prompt: str = "a red dog", seed: int = 1, sampling: Sampling | None = None, **pictures: bytes) -> bytes:
    painting = asyncio.run(paint(Direct(), painting_request(prompt, seed, sampling or Sampling(), **pictures)))
    assert painting.outcome == "ok" and painting.image is not None
    return painting.image


def blurred(image: bytes) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(image)).filter(ImageFilter.GaussianBlur(4)).save(out, "PNG")
    return out.getvalue()


def test_the_same_request_is_the_same_picture_and_every_part_of_it_counts() -> None:
    usual = painted()
    assert usual == painted() and pixels(usual).shape == (64, 64, 3)
    others = [
        painted("a red dog on grass"),
        painted(seed=2),
        painted(sampling=Sampling(guidance=2.0)),
        painted(sampling=Sampling(negative_prompt="dog")),
        painted(sampling=Sampling(nag=Nag("blurry"))),
        painted(reference=png(0)),
        painted(reference=png(1)),
        painted(image=png(0)),
    ]
    assert len({usual, *others}) == 9
    assert pixels(painted(sampling=Sampling(width=40, height=24))).shape == (24, 40, 3)


def test_a_reference_shows_through_and_its_blur_with_it() -> None:
    sharp, soft = painted(reference=png()), painted(reference=blurred(png()))
    assert sharpness(soft) < 0.8 * sharpness(sharp)
    shown = np.asarray(Image.open(io.BytesIO(png())).resize((64, 64))).astype(float)

    def distance(image: bytes) -> float:
        return float(abs(pixels(image) - shown).mean())

    assert distance(sharp) < 0.6 * distance(painted())
    over = [distance(painted(image=png(), sampling=Sampling(strength=s))) for s in (0.2, 0.5, 0.9)]
    assert over == sorted(over) and over[0] < 0.5 * over[2]


def test_by_a_mask_the_picture_is_painted_over_there_alone() -> None:
    asked = {"image": png(), "mask": mask(24), "sampling": Sampling(strength=0.9)}
    once, before = painted(**asked), pixels(png()).astype(int)
    assert once == painted(**asked) != painted(**asked | {"mask": mask(30)}) and once != painted(seed=2, **asked)
    off = abs(pixels(once) - before)
    assert off.shape == (40, 48, 3) and off[:, :24].max() <= 3 < off[:, 24:].max(), "but for the brushwork"


def test_a_word_of_the_negative_prompt_is_not_drawn() -> None:
    plain, without = (pixels(painted(sampling=Sampling(negative_prompt=n))).astype(int) for n in ("zzz", "dog"))
    nothing = pixels(painted("a red", sampling=Sampling(negative_prompt="zzz"))).astype(int)
    assert abs(without - nothing).max() <= 6 < abs(plain - nothing).max(), "but for the brushwork"


def test_a_refusal_is_no_picture() -> None:
    painting = asyncio.run(paint(Direct(refused=1.0), painting_request("a", 1, Sampling())))
    assert painting.image is None and painting.outcome == "refusal" and painting.settings["width"] == 64


def test_a_reply_without_a_picture_fails_the_row() -> None:
    class Mute:
        async def ask(self, request: Any, attempt: int = 0) -> Reply:
            return Reply("I paint in words")

    with pytest.raises(RowError, match="holds no picture"):
        asyncio.run(paint(Mute(), painting_request("a", 1, Sampling())))


def test_what_is_not_asked_for_is_no_part_of_a_request() -> None:
    assert painting_request("a", 1, Sampling()) == {"prompt": "a", "seed": 1}
    full = painting_request("a", 1, Sampling("b", 4, 2.0, 8, 8, 0.5, Nag("c")), image=b"x", reference=b"y")
    assert full["nag"] == {"negative_prompt": "c", "scale": 5.0, "tau": 2.5, "alpha": 0.5}
    assert full["image"] == "eA==" and full["reference"] == "eQ==" and full["strength"] == 0.5
