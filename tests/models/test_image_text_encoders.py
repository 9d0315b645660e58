"""Encoders of images and texts on random weights, against the libraries that published ones are run with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rather.models.imaging import decoded

from ..seeing import PHOTOS, TEXTS, by_transformers, load, unit
from ..tiny_vision import open_clip_siglip_folder, siglip_folder

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
transformers = pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed (rather[images])")
pytestmark = pytest.mark.full


def test_open_clip_gives_what_the_library_gives(folders: dict[str, Path]) -> None:
    network, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{folders['open_clip']}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folders['open_clip']}")
    with torch.no_grad():
        seen = unit(network.eval().encode_image(torch.stack([prepare(decoded(image)) for image in PHOTOS])))
        read = unit(network.encode_text(tokenizer(TEXTS)))
    for name in (folders["open_clip"], f"local-dir:{folders['open_clip']}"):
        encoder = load("open_clip", name)
        assert np.allclose(encoder.encode(PHOTOS), seen, atol=1e-5)
        assert np.allclose(encoder.encode_text(TEXTS), read, atol=1e-5)
        assert encoder.scale == pytest.approx(float(network.logit_scale.exp())) and encoder.dim == 24


def test_siglip_of_open_clip(tmp_path: Path) -> None:
    folder = open_clip_siglip_folder(tmp_path)
    network, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    with torch.no_grad():
        seen = unit(network.eval().encode_image(torch.stack([prepare(decoded(image)) for image in PHOTOS[:3]])))
        read = unit(network.encode_text(tokens))
    encoder = load("open_clip", folder)
    assert np.allclose(encoder.encode(PHOTOS[:3]), seen, atol=1e-5)
    assert np.allclose(encoder.encode_text(TEXTS), read, atol=1e-5)
    assert np.isnan(encoder.encode_text(["hat " * 13, "hat " * 12])).any(axis=1).tolist() == [True, False]


@pytest.mark.parametrize("use", ["clip", "align"])
def test_two_towers_give_what_the_library_gives(folders: dict[str, Path], use: str) -> None:
    network, tokens, pixels = by_transformers(folders[use])
    with torch.no_grad():
        found = network(**tokens, pixel_values=pixels)
    encoder = load(use, folders[use])
    assert np.allclose(encoder.encode(PHOTOS), unit(found.image_embeds), atol=1e-5)
    assert np.allclose(encoder.encode_text(TEXTS), unit(found.text_embeds), atol=1e-5)
    logits = encoder.scale * encoder.encode_text(TEXTS) @ encoder.encode(PHOTOS).T
    assert np.allclose(logits, found.logits_per_text.numpy(), atol=2e-4)
    assert np.ptp(logits) > 0.1


def test_siglip_pads_every_text_as_in_training(tmp_path: Path) -> None:
    """Its text tower has no mask and pools at the last position, so the padding is part of the text."""
    siglip_folder(tmp_path)
    network = transformers.AutoModel.from_pretrained(tmp_path).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokens = tokenizer(TEXTS, padding="max_length", max_length=12, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        pixels = processor(images=[decoded(image) for image in PHOTOS], return_tensors="pt")["pixel_values"]
        found = network(input_ids=tokens, pixel_values=pixels)
    encoder = load("clip", tmp_path)
    assert np.allclose(encoder.encode_text(TEXTS), unit(found.text_embeds), atol=1e-5)
    assert np.allclose(encoder.encode(PHOTOS), unit(found.image_embeds), atol=1e-5)
    assert encoder.scale == pytest.approx(float(network.logit_scale.detach().exp()))
    assert load("clip_vision", tmp_path).patches(PHOTOS[:1])[0].shape == (16, 32)


def test_both_heads_of_blip_give_what_the_library_gives(folders: dict[str, Path]) -> None:
    network, _, pixels = by_transformers(folders["blip"], transformers.BlipForImageTextRetrieval)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["blip"])
    matcher = load("blip", folders["blip"], max_tokens=48)
    cosines = matcher.encode_text(TEXTS).astype(np.float64) @ matcher.encode(PHOTOS).T
    pairs = [(text, k) for text in TEXTS for k in (0, 3, 0)]
    chances = matcher.match([text for text, _ in pairs], [PHOTOS[k] for _, k in pairs])
    for (text, k), chance in zip(pairs, chances, strict=True):
        tokens = {n: t for n, t in tokenizer([text], return_tensors="pt").items() if n != "token_type_ids"}
        with torch.no_grad():
            itm = network(**tokens, pixel_values=pixels[k : k + 1]).itm_score.softmax(-1)[0, 1]
            itc = network(**tokens, pixel_values=pixels[k : k + 1], use_itm_head=False).itm_score[0, 0]
        assert chance == pytest.approx(float(itm), abs=1e-5)
        assert cosines[TEXTS.index(text), k] == pytest.approx(float(itc), abs=1e-5)
    assert np.ptp(chances) > 1e-3 and np.ptp(cosines) > 1e-3


@pytest.mark.parametrize(
    ("use", "long"), [("open_clip", "hat " * 76), ("clip", "a" * 15), ("align", "hat " * 63), ("blip", "hat " * 47)]
)
def test_a_text_that_is_too_long_has_no_vector_unless_it_is_cut(folders: dict[str, Path], use: str, long: str) -> None:
    fits = long[:-1] if use == "clip" else long[:-4]
    told = {"max_tokens": 48} if use == "blip" else {}
    whole = load(use, folders[use], **told).encode_text([fits, long, "a hat"])
    assert np.isnan(whole).any(axis=1).tolist() == [False, True, False]
    cut = load(use, folders[use], truncate=True, **told).encode_text([long, fits, "a hat"])
    assert np.isfinite(cut).all() and np.array_equal(cut[1:], whole[[0, 2]])
