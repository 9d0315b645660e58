"""Guidance in the attention of tiny pipelines: off, on, against what is computed apart, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.errors import CallRefused
from rather.models.painter import Nag, Sampling, painting_request
from rather.models.painter_guidance import nag
from rather.models.painter_nag import nag_attention, prompt_tokens

from .. import tiny_adapters, tiny_pipelines
from ..painters import TEXT, ask, pictures, spec
from ..pictures import pixels, png

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")
pytestmark = pytest.mark.full
JOINT = [tiny_pipelines.stable_diffusion_3, tiny_pipelines.flux]
PLACES = 16
"""Image tokens of what a transformer is given below."""


def away(words: str, scale: float = 5.0, **settings: Any) -> dict[str, Any]:
    return painting_request("a red dog", 1, Sampling(nag=Nag(words, scale), **settings))


def distance(one: bytes, other: bytes) -> int:
    """Largest difference of two pictures' pixels, in levels."""
    return int(abs(pixels(one).astype(int) - pixels(other)).max())


def forward(pipe: Any, *prompts: str) -> None:
    """One step of a pipeline's transformer: a row a prompt, all of the same noise, time and pooled prompt."""
    drawn, rows = torch.Generator().manual_seed(3), len(prompts)
    texts = torch.cat([prompt_tokens(pipe, prompt) for prompt in prompts])
    network, flux = pipe.transformer, "Flux" in type(pipe).__name__
    noise = torch.randn(1, *((PLACES, 4) if flux else (16, 4, 4)), generator=drawn)
    pooled = torch.randn(1, network.config.pooled_projection_dim, generator=drawn)
    given = {"hidden_states": noise.expand(rows, *noise.shape[1:]), "pooled_projections": pooled.expand(rows, -1)}
    if flux:
        given |= {"img_ids": torch.zeros(PLACES, 3), "txt_ids": torch.zeros(texts.shape[1], 3)}
    with torch.inference_mode():
        network(timestep=torch.full((rows,), 0.5), encoder_hidden_states=texts, return_dict=False, **given)


def seen(pipe: Any, layer: Any, *prompts: str) -> tuple[np.ndarray, np.ndarray]:
    """What image tokens of a layer attended to [rows, PLACES, features], and its text tokens [rows, tokens, …]."""
    images, texts = list[Any](), list[Any]()
    hooks = [
        layer.attn.to_out[0].register_forward_pre_hook(lambda module, args: images.append(args[0].numpy())),
        layer.register_forward_hook(lambda module, args, out: texts.append(out[0].numpy())),
    ]
    forward(pipe, *prompts)
    for hook in hooks:
        hook.remove()
    return images[0], texts[0]


def test_nag_in_the_attention_of_a_unet(sd: Path) -> None:
    plain, off, on, other = pictures(spec(sd), TEXT, away("blurry", 1.0), away("blurry"), away("old"))
    assert off == plain, "scale 1 is off, to the last pixel"
    assert len({plain, on, other}) == 3
    unguided = painting_request("a red dog", 1, Sampling(guidance=1.0))
    without, same, differs = pictures(spec(sd), unguided, away("a red dog", guidance=1.0), away("blurry", guidance=1.0))
    assert without == same != differs, "away from the prompt itself is nowhere"
    assert pictures(spec(sd), TEXT, away("blurry"), TEXT)[2] == plain, "nothing is left behind"


@pytest.mark.parametrize("make", JOINT)
def test_nag_in_the_attention_of_a_transformer(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path / "pipeline")
    begun = painting_request("a red dog", 1, Sampling(strength=0.9), image=png())
    guided = painting_request("a red dog", 1, Sampling(strength=0.9, nag=Nag("blurry")), image=png())
    asked = [away("blurry", 1.0), away("blurry"), away("old"), begun, guided, away("a red dog"), TEXT]
    plain, off, *others, nowhere, after = pictures(spec(path), TEXT, *asked)
    assert plain == off == after, "scale 1 is off, and nothing is left behind"
    assert len({plain, *others}) == 5, "also where painting begins from a picture"
    assert distance(plain, nowhere) <= 1, "away from the prompt itself is nowhere"
    several = [painting_request(word, k, Sampling(nag=Nag("blurry"))) for k, word in enumerate(("red", "blue", "old"))]
    alone, together = pictures(spec(path), *several), pictures(spec(path, batch=3), *several)
    assert max(distance(one, other) for one, other in zip(alone, together, strict=True)) <= 1
    assert min(distance(alone[0], other) for other in alone[1:]) > 1


@pytest.mark.parametrize("make", JOINT)
@pytest.mark.parametrize("before", [(), ("",)])
def test_image_tokens_are_guided_and_text_is_not(
    make: Callable[[Path], Path], before: tuple[str, ...], tmp_path: Path
) -> None:
    """The first layer of two runs, same picture and one text each, has Z⁺ and Z⁻; guided it has `nag` of both.

    Rows `before`, of an empty prompt as classifier-free guidance has them, stay as they are.
    """
    pipe = spec(make(tmp_path / "pipeline")).load()._canvas.pipe
    layer = pipe.transformer.transformer_blocks[0]
    positive, text = seen(pipe, layer, *before, "a red dog")
    negative, _ = seen(pipe, layer, *before, "blurry")
    with nag_attention(pipe, Nag("blurry", 4.0, 1.1, 0.75), 1):
        found, kept = seen(pipe, layer, *before, "a red dog")
    wanted = nag(positive[-1], negative[-1], 4.0, 1.1, 0.75)
    assert abs(wanted - positive[-1]).max() > 100 * (error := 1e-5)
    for row in found[-2:]:
        assert abs(row - wanted).max() < error, "for the row and for its copy"
    assert len(found) == len(before) + 2 and abs(found[: len(before)] - positive[:-1]).max(initial=0) < error
    assert abs(kept[: len(text)] - text).max() < error


def test_tokens_in_one_stream_are_told_apart(tmp_path: Path) -> None:
    """Flux's later layers attend over text and image in one row: what comes out is guided past the text alone."""
    pipe = spec(tiny_pipelines.flux(tmp_path / "pipeline")).load()._canvas.pipe
    attention, outs = pipe.transformer.single_transformer_blocks[0].attn, list[Any]()
    attention.register_forward_hook(lambda layer, args, out: outs.append(out.numpy()))
    with nag_attention(pipe, Nag("blurry", 4.0, 1.1, 0.75), 1):
        attention.register_forward_hook(lambda layer, args, out: outs.append(out.numpy()))
        forward(pipe, "a red dog")
    raw, guided = outs
    texts = raw.shape[1] - PLACES
    wanted = nag(raw[0, texts:], raw[1, texts:], 4.0, 1.1, 0.75)
    assert (guided[:, :texts] == raw[:, :texts]).all() and abs(wanted - raw[0, texts:]).max() > 1e-3
    assert abs(guided[0, texts:] - wanted).max() < 1e-5 and (guided[1, texts:] == guided[0, texts:]).all()


def test_nag_is_refused_where_it_would_not_be_right(tmp_path: Path) -> None:
    flux = tiny_pipelines.flux(tmp_path / "flux")
    adapted = spec(flux, ip_adapter=tiny_adapters.flux_ip_adapter(tmp_path))
    (reply,) = ask(adapted, away("blurry"))
    assert isinstance(reply, CallRefused) and "adapter" in reply.show()
    pipe = spec(flux).load()._canvas.pipe
    pipe.transformer = torch.nn.Linear(1, 1)
    with pytest.raises(CallRefused, match="built for UNets, Stable Diffusion 3 and Flux"):
        nag_attention(pipe, Nag("blurry"), 1).__enter__()


def test_mixed_guidance(sd: Path, tmp_path: Path) -> None:
    lora = (tiny_adapters.lora(tmp_path),)
    base = pictures(spec(sd, guidance=3.0), TEXT)[0]
    assert pictures(spec(sd, guidance=3.0, loras=lora, mix=(3.0, 0.0)), TEXT)[0] == base
    found = {pictures(spec(sd, guidance=3.0, loras=lora, mix=mix), TEXT)[0] for mix in ((3.0, 1.0), (3.0, 3.0))}
    assert len(found | {base}) == 3
    (reply,) = ask(spec(sd, guidance=3.0, mix=(3.0, 1.0)), TEXT)
    assert isinstance(reply, CallRefused) and "LoRA" in reply.show()
