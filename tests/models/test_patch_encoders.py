"""Encoders with patches and encoders of style on random weights, against the library itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rather.core.errors import InputError
from rather.models.imaging import decoded

from ..seeing import PHOTOS, by_transformers, load, unit
from ..tiny_vision import dino_folder

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
transformers = pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed (rather[images])")
pytestmark = pytest.mark.full


@pytest.mark.parametrize("registers", [0, 3])
def test_dino_gives_class_token_and_patches(tmp_path: Path, registers: int) -> None:
    folder = dino_folder(tmp_path, registers)
    network, _, pixels = by_transformers(folder)
    with torch.no_grad():
        states = network(pixel_values=pixels).last_hidden_state
    encoder = load("dino", folder)
    assert np.allclose(encoder.encode(PHOTOS), unit(states[:, 0]), atol=1e-5)
    patches = encoder.patches([*PHOTOS, PHOTOS[2]])
    assert patches[0].shape == (16, 32) and np.array_equal(patches[2], patches[-1])
    assert np.allclose(np.stack(patches[:-1]), unit(states[:, 1 + registers :]), atol=1e-5)


def test_dino_of_the_third_generation(tmp_path: Path) -> None:
    from transformers import AutoImageProcessor, BitImageProcessor, DINOv3ViTConfig, DINOv3ViTModel

    config = DINOv3ViTConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8,
        num_register_tokens=4,
    )  # fmt: skip
    network = DINOv3ViTModel(config).eval()
    network.save_pretrained(tmp_path)
    square = {"height": 32, "width": 32}
    BitImageProcessor(size=square, crop_size=square).save_pretrained(tmp_path)
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    with torch.no_grad():
        states = network(**processor(images=[decoded(i) for i in PHOTOS], return_tensors="pt")).last_hidden_state
    encoder = load("dino", tmp_path)
    assert np.allclose(encoder.encode(PHOTOS), unit(states[:, 0]), atol=1e-5)
    assert np.allclose(np.stack(encoder.patches(PHOTOS)), unit(states[:, 5:]), atol=1e-5)


def test_the_vision_tower_of_a_clip_and_a_style_head_on_it(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    network, _, pixels = by_transformers(folders["clip"])
    with torch.no_grad():
        states = network.vision_model(pixel_values=pixels)
        image = network.visual_projection(states.pooler_output)
    tower = load("clip_vision", folders["clip"])
    assert np.allclose(tower.encode(PHOTOS), unit(image), atol=1e-5)
    assert np.allclose(np.stack(tower.patches(PHOTOS)), unit(states.last_hidden_state[:, 1:]), atol=1e-5)
    matrix = np.random.default_rng(0).normal(size=(32, 12)).astype(np.float32)
    save_file({"last_layer_style": matrix, "other": matrix[:5]}, tmp_path / "head.safetensors")
    style = load("csd", folders["clip"], head=str(tmp_path / "head.safetensors"))
    assert style.styled and style.dim == 12
    assert np.allclose(style.encode(PHOTOS), unit(states.pooler_output @ torch.tensor(matrix)), atol=1e-5)
    with pytest.raises(InputError, match=r"holds no other \[32, dim\]; it holds .*other \[5, 12\]"):
        load("csd", folders["clip"], head=str(tmp_path / "head.safetensors"), tensor="other")


def test_gram_matrices_stand_in_for_a_style_encoder(folders: dict[str, Path]) -> None:
    encoder, tower = load("gram", folders["dino"]), load("dino", folders["dino"])
    grams = [patches.T.astype(np.float64) @ patches for patches in tower.patches(PHOTOS[:3])]
    cosine = (grams[0] * grams[1]).sum() / np.linalg.norm(grams[0]) / np.linalg.norm(grams[1])
    vectors = encoder.encode(PHOTOS[:3])
    assert vectors.shape == (3, encoder.dim) == (3, 32 * 33 // 2)
    assert float(vectors[0] @ vectors[1]) == pytest.approx(cosine, abs=1e-5)
    assert not encoder.styled and encoder.name.startswith("gram of ")
    assert np.array_equal(encoder.encode(PHOTOS[1:2])[0], vectors[1])
