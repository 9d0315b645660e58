"""Painters of diffusers on tiny random pipelines, saved to a folder and loaded from it as a user would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallRefused, InputError
from rather.models.painter import Nag, Sampling, painting_request, picture_in
from rather.models.painter_diffusers import DiffusersSpec
from rather.models.painter_loading import located

from .. import tiny_pipelines
from ..pictures import pixels, png

pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")

TEXT = painting_request("a red dog", 1, Sampling())


@pytest.fixture(scope="session")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipelines.stable_diffusion(tmp_path_factory.mktemp("pipelines") / "sd")


def spec(path: Path, **options: Any) -> DiffusersSpec:
    side = tiny_pipelines.SIZE
    return DiffusersSpec(path=str(path), **({"steps": 2, "width": side, "height": side, "device": "cpu"} | options))


def ask(spec: DiffusersSpec, *requests: dict[str, Any]) -> list[Any]:
    """Replies to requests made at once."""

    async def calls() -> list[Any]:
        backend = spec.load()
        found = await asyncio.gather(*(backend.call(request) for request in requests), return_exceptions=True)
        await backend.close()
        return found

    return asyncio.run(calls())


def pictures(spec: DiffusersSpec, *requests: dict[str, Any]) -> list[bytes]:
    replies = ask(spec, *requests)
    assert all(not isinstance(reply, Exception) and reply.finish == "stop" for reply in replies), replies
    return [picture_in(reply.data, "image") or b"" for reply in replies]


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


def test_where_adapters_are(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert located(f"{tmp_path}/models/a.safetensors") == (str(tmp_path), "models", "a.safetensors")
    assert located("owner/name/a.safetensors") == ("owner/name", None, "a.safetensors")
    assert located("owner/name/x/y/a.safetensors") == ("owner/name", "x/y", "a.safetensors")
    for wrong, said in (("owner/name/a.bin", "no safetensors"), ("nowhere/a.safetensors", "no weights")):
        with pytest.raises(InputError, match=said):
            located(wrong)


def test_pickled_weights_are_not_read(sd: Path, tmp_path: Path) -> None:
    import shutil

    import torch
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


@pytest.mark.full
@pytest.mark.parametrize(
    "make", [tiny_pipelines.stable_diffusion_xl, tiny_pipelines.stable_diffusion_3, tiny_pipelines.flux]
)
def test_other_families(make: Callable[[Path], Path], tmp_path: Path) -> None:
    begun = painting_request("a red dog", 1, Sampling(strength=0.9), image=png())
    away = painting_request("a red dog", 1, Sampling("blurry"))
    other = painting_request("a red dog", 2, Sampling(guidance=2.0))
    path = make(tmp_path / "pipeline")
    flux = make is tiny_pipelines.flux
    found = pictures(spec(path, true_guidance=2.0 if flux else None), TEXT, TEXT, other, begun, away)
    assert found[0] == found[1] and len(set(found)) == 4
    assert {pixels(image).shape for image in found} == {(32, 32, 3)}
    if flux:
        (reply,) = ask(spec(path), away)
        assert isinstance(reply, CallRefused) and "true_guidance" in reply.show()


@pytest.mark.full
def test_a_pipeline_that_edits_takes_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.pipelines.flux import pipeline_flux_kontext

    monkeypatch.setattr(pipeline_flux_kontext, "PREFERRED_KONTEXT_RESOLUTIONS", [(32, 32)])
    path = tiny_pipelines.flux(tmp_path / "kontext", edits=True)
    referring = [painting_request("a red dog", 1, Sampling(), reference=png(k)) for k in (0, 0, 1)]
    text, *found = pictures(spec(path), TEXT, *referring)
    assert found[0] == found[1] != found[2] and text not in found
    assert pixels(text).shape == pixels(found[0]).shape == (32, 32, 3)
    (reply,) = ask(spec(path), painting_request("a", 1, Sampling(strength=0.5), image=png()))
    assert isinstance(reply, CallRefused) and "no strength" in reply.show()


@pytest.mark.full
def test_an_ip_adapter_makes_the_reference_count(sd: Path, tmp_path: Path) -> None:
    adapted = spec(sd, ip_adapter=tiny_pipelines.ip_adapter(tmp_path))
    referring = [painting_request("a red dog", 1, Sampling(), reference=png(k)) for k in (0, 0, 1)]
    plain, *found = pictures(adapted, TEXT, *referring)
    assert plain == pictures(spec(sd), TEXT)[0], "without a reference the adapter adds nothing"
    assert found[0] == found[1] != found[2] and plain not in found
    begun = Sampling(strength=0.9)
    over, both, other = pictures(
        adapted,
        painting_request("a red dog", 1, begun, image=png(3)),
        painting_request("a red dog", 1, begun, image=png(3), reference=png(0)),
        painting_request("a red dog", 1, begun, image=png(3), reference=png(1)),
    )
    assert over == pictures(spec(sd), painting_request("a red dog", 1, begun, image=png(3)))[0]
    assert len({over, both, other}) == 3, "begun from one picture, in the likeness of another"
    (reply,) = ask(adapted, painting_request("a red dog", 1, Sampling(nag=Nag("blurry"))))
    assert isinstance(reply, CallRefused) and "adapter" in reply.show()


@pytest.mark.full
def test_an_ip_adapter_for_flux(tmp_path: Path) -> None:
    path, adapter = tiny_pipelines.flux(tmp_path / "flux"), tiny_pipelines.flux_ip_adapter(tmp_path)
    referring = [painting_request("a red dog", 1, Sampling(), reference=png(k)) for k in (0, 0, 1)]
    plain, *found = pictures(spec(path, ip_adapter=adapter), TEXT, *referring)
    assert plain == pictures(spec(path), TEXT)[0] and plain not in found
    assert found[0] == found[1] != found[2]
    (Path(adapter).parent / "image_encoder").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="ip_encoder"):
        spec(path, ip_adapter=adapter).load()
    there = spec(path, ip_adapter=adapter, ip_encoder=str(tmp_path / "elsewhere"))
    assert pictures(there, referring[0]) == found[:1]


@pytest.mark.full
def test_loras_and_their_scales(sd: Path, tmp_path: Path) -> None:
    one, two = (tiny_pipelines.lora(tmp_path / str(k), seed=k) for k in (2, 3))
    plain = pictures(spec(sd), TEXT)[0]
    assert pictures(spec(sd, loras=(one,), lora_scales=(0.0,)), TEXT)[0] == plain
    found = {pictures(spec(sd, loras=loras), TEXT)[0] for loras in ((one,), (two,), (one, two))}
    assert len(found | {plain}) == 4
    with pytest.raises(InputError, match="2 lora_scales for 1"):
        spec(sd, loras=(one,), lora_scales=(1.0, 1.0)).load()
    import torch
    from safetensors.torch import load_file

    pickled = tmp_path / "pickled.bin"
    torch.save(load_file(one), pickled)
    with pytest.raises(InputError, match="no safetensors file"):
        spec(sd, loras=(str(pickled),)).load()
    torch.save(load_file(one), tmp_path / "disguised.safetensors")
    with pytest.raises(InputError, match="does not load"):
        spec(sd, loras=(str(tmp_path / "disguised.safetensors"),)).load()


@pytest.mark.full
def test_nag_in_the_attention(sd: Path) -> None:
    def away(words: str, **settings: Any) -> dict[str, Any]:
        nag = Nag(words, **{k: settings.pop(k) for k in ("scale", "tau", "alpha") if k in settings})
        return painting_request("a red dog", 1, Sampling(nag=nag, **settings))

    plain, off, on, other = pictures(spec(sd), TEXT, away("blurry", scale=1.0), away("blurry"), away("old"))
    assert off == plain, "scale 1 is off, to the last pixel"
    assert len({plain, on, other}) == 3
    unguided = painting_request("a red dog", 1, Sampling(guidance=1.0))
    without, same, differs = pictures(spec(sd), unguided, away("a red dog", guidance=1.0), away("blurry", guidance=1.0))
    assert without == same != differs, "away from the prompt itself is nowhere"
    assert pictures(spec(sd), TEXT, away("blurry"), TEXT)[2] == plain, "nothing is left behind"


@pytest.mark.full
def test_mixed_guidance(sd: Path, tmp_path: Path) -> None:
    lora = (tiny_pipelines.lora(tmp_path),)
    base = pictures(spec(sd, guidance=3.0), TEXT)[0]
    assert pictures(spec(sd, guidance=3.0, loras=lora, mix=(3.0, 0.0)), TEXT)[0] == base
    found = {pictures(spec(sd, guidance=3.0, loras=lora, mix=mix), TEXT)[0] for mix in ((3.0, 1.0), (3.0, 3.0))}
    assert len(found | {base}) == 3
    (reply,) = ask(spec(sd, guidance=3.0, mix=(3.0, 1.0)), TEXT)
    assert isinstance(reply, CallRefused) and "LoRA" in reply.show()


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
