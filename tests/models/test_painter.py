"""Painters of diffusers on tiny random pipelines, saved to a folder and loaded from it as a user would."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rather.core.errors import CallRefused, InputError
from rather.models.painter import Sampling, painting_request, picture_in
from rather.models.painter_loading import _device, _dtype, _placed, _save_memory

from .. import tiny_pipelines
from ..painters import TEXT, ask, pictures, spec
from ..pictures import pixels, png

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")


def test_a_seed_is_a_picture_and_every_condition_counts(sd: Path) -> None:
    others = [
        painting_request("a blue cat", 1, Sampling()),
        painting_request("a red dog", 2, Sampling()),
        painting_request("a red dog", 1, Sampling(guidance=2.0)),
        painting_request("a red dog", 1, Sampling(negative_prompt="blurry")),
        painting_request("a red dog", 1, Sampling(strength=0.9), image=png(0)),
        painting_request("a red dog", 1, Sampling(strength=0.9), image=png(1)),
    ]
    first, again, *rest = pictures(spec(sd), TEXT, TEXT, *others)
    assert first == again == pictures(spec(sd), TEXT)[0], "also after loading anew"
    assert len({first, *rest}) == 7
    assert {pixels(image).shape for image in (first, *rest)} == {(32, 32, 3)}


def test_a_reply_says_how_it_was_painted(sd: Path) -> None:
    asked = painting_request("a", 1, Sampling("blurry", steps=3, width=16, height=24))
    begun = painting_request("a", 1, Sampling(strength=0.5), image=png())
    text, over = ask(spec(sd, scheduler="EulerDiscreteScheduler", checkpoint=400), asked, begun)
    assert text.data["settings"] == {
        "steps": 3, "guidance": 7.5, "pipeline": "StableDiffusionPipeline", "scheduler": "EulerDiscreteScheduler",
        "checkpoint_step": 400, "negative_prompt": "blurry", "width": 16, "height": 24,
    }  # fmt: skip
    assert over.data["settings"]["strength"] == 0.5 and over.data["settings"]["width"] == 32
    assert "Img2Img" in over.data["settings"]["pipeline"]


def test_a_prompt_too_long_for_the_text_encoder_is_recorded(sd: Path) -> None:
    """The tiny tokenizer reads 16 tokens with the two at the ends, a word each: of 20 words 6 are not read."""
    long = painting_request("a " * 20, 1, Sampling())
    short, cut = ask(spec(sd), painting_request("a " * 14, 1, Sampling()), long)
    assert "prompt_tokens_cut" not in short.data["settings"] and cut.data["settings"]["prompt_tokens_cut"] == 6
    assert picture_in(short.data, "image") == picture_in(cut.data, "image")


def test_requests_share_a_batch_and_keep_their_seeds(sd: Path) -> None:
    asked = [painting_request(f"a {word} dog", k, Sampling()) for k, word in enumerate(("red", "blue", "old"))]
    begun = painting_request("a red dog", 9, Sampling(), image=png())
    together = pictures(spec(sd, batch=4), *asked, begun, TEXT)
    alone = pictures(spec(sd), *asked, begun, TEXT)
    for one, other in zip(together, alone, strict=True):
        assert abs(pixels(one).astype(int) - pixels(other)).max() <= 1


@pytest.mark.full
def test_memory_options_change_no_picture(sd: Path) -> None:
    asked = [painting_request(f"a {word} dog", k, Sampling()) for k, word in enumerate(("red", "blue", "old"))]
    usual = pictures(spec(sd), *asked)
    for options in ({"vae_slicing": True}, {"vae_slicing": True, "batch": 3}, {"vae_tiling": True}):
        found = pictures(spec(sd, **options), *asked)
        assert max(abs(pixels(a).astype(int) - pixels(b)).max() for a, b in zip(usual, found, strict=True)) <= 1
    assert pictures(spec(sd, dtype="bfloat16"), asked[0])[0] != usual[0], "the dtype is that asked for"


def test_memory_is_saved_as_asked_or_it_is_said() -> None:
    turned = list[Any]()
    vae = SimpleNamespace(enable_slicing=lambda: turned.append("slicing"))
    saving = SimpleNamespace(
        vae=vae,
        to=turned.append,
        enable_model_cpu_offload=lambda device: turned.append(("model", device)),
        enable_sequential_cpu_offload=lambda device: turned.append(("sequential", device)),
    )
    _save_memory(saving, vae_slicing=True, vae_tiling=False)
    for offload in ("none", "model", "sequential"):
        assert _placed(saving, "cuda:1", offload) is saving
    assert turned == ["slicing", "cuda:1", ("model", "cuda:1"), ("sequential", "cuda:1")]
    with pytest.raises(InputError, match="nothing that vae_tiling could turn on"):
        _save_memory(saving, vae_slicing=False, vae_tiling=True)


@pytest.mark.parametrize(
    ("cuda", "half", "mps", "found"),
    [
        (True, True, False, ("cuda", "bfloat16")),
        (True, False, True, ("cuda", "float16")),
        (False, False, True, ("mps", "float16")),
        (False, False, False, ("cpu", "float32")),
    ],
)
def test_device_and_dtype_are_found(
    cuda: bool, half: bool, mps: bool, found: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: half)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert (_device("auto"), _dtype(_device("auto"))) == found and _device("cuda:1") == "cuda:1"


def test_what_nobody_waits_for_is_not_painted(sd: Path) -> None:
    async def calls() -> tuple[bytes, int]:
        backend = spec(sd).load()
        painted, canvas = list[Any](), backend._canvas
        usual = canvas.paint
        canvas.paint = lambda requests: painted.extend(requests) or usual(requests)  # type: ignore[method-assign]
        asked = [painting_request("a", k, Sampling()) for k in range(4)]
        tasks = [asyncio.create_task(backend.call(request)) for request in asked]
        await asyncio.sleep(0)
        for task in tasks[1:3]:
            task.cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        await backend.close()
        return (picture_in(replies[3].data, "image") or b""), len(painted)  # type: ignore[union-attr]

    image, painted = asyncio.run(calls())
    assert image == pictures(spec(sd), painting_request("a", 3, Sampling()))[0] and painted == 2


def test_what_would_be_without_effect_is_refused(sd: Path) -> None:
    (reply,) = ask(spec(sd), painting_request("a", 1, Sampling(), reference=png()))
    assert isinstance(reply, CallRefused) and "ip_adapter" in reply.show()
    (reply,) = ask(spec(sd, guidance=1.0), painting_request("a", 1, Sampling("blurry")))
    assert isinstance(reply, CallRefused) and "no effect at guidance 1" in reply.show()
    (broken,) = ask(spec(sd), painting_request("a", 1, Sampling(), image=b"no picture"))
    assert isinstance(broken, CallRefused) and "not a picture" in broken.show()


def test_what_does_not_load_is_said(sd: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not load"):
        spec(tmp_path / "missing").load()
    with pytest.raises(InputError, match="EulerDiscreteScheduler"):
        spec(sd, scheduler="EulerDisceteScheduler").load()
    with pytest.raises(InputError, match="offload"):
        spec(sd, offload="model").load()
    with pytest.raises(InputError, match="safetensors"):
        spec(sd, ip_adapter="owner/name/adapter.bin").load()


def test_pickled_weights_are_not_read(sd: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file

    for part in ("unet/diffusion_pytorch_model", "text_encoder/model"):
        copy = tmp_path / part.replace("/", "-")
        shutil.copytree(sd, copy)
        weights = load_file(copy / f"{part}.safetensors")
        (copy / f"{part}.safetensors").unlink()
        torch.save(weights, (copy / part.replace("/model", "/pytorch_model")).with_suffix(".bin"))
        with pytest.raises(InputError, match="does not load"):
            spec(copy).load()


def test_the_identity_changes_with_the_weights(sd: Path, tmp_path: Path) -> None:
    other = tiny_pipelines.stable_diffusion(tmp_path / "sd", seed=5)
    here, there = spec(sd).identity(), spec(other).identity()
    assert here == spec(sd, batch=8, device="cuda", offload="model").identity(), "what changes no picture is no part"
    assert here["weights"] != there["weights"] and here["steps"] == 2
    assert spec(Path("owner/name")).identity()["weights"] == [""]


def test_what_the_pipeline_withheld_is_no_picture() -> None:
    from PIL import Image
    from rather.models.painter_pipeline import Painted

    picture = Image.new("RGB", (8, 4), (9, 9, 9))
    blank = Painted(picture, False, {"steps": 2}).reply()
    assert blank.finish == "blank" and "image" not in (blank.data or {})
    assert blank.data == {"settings": {"steps": 2, "width": 8, "height": 4}}
    picture.putpixel((1, 1), (10, 9, 9))
    assert Painted(picture, False, {}).reply().finish == "stop"
    assert Painted(picture, True, {}).reply().finish == "refusal"
