"""What every model that sees keeps to: company, extremes, sizes, and faults that say why."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rather.core.errors import InputError, RowError
from rather.core.registry import models

from ..seeing import PHOTOS, SEERS, TEXTS, load

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
transformers = pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed (rather[images])")
pytestmark = pytest.mark.full


@pytest.mark.parametrize(("use", "folder"), [*SEERS, ("clip_vision", "clip")])
def test_a_vector_is_the_same_alone_and_in_company(folders: dict[str, Path], use: str, folder: str) -> None:
    encoder = load(use, folders[folder])
    together = encoder.encode(PHOTOS)
    assert together.dtype == np.float32 and np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.concatenate([encoder.encode([one]) for one in PHOTOS]).tobytes() == together.tobytes()
    assert encoder.encode(PHOTOS[::-1])[::-1].tobytes() == together.tobytes()
    assert len(np.unique(together, axis=0)) == len(PHOTOS)
    assert encoder.encode([]).shape == (0, encoder.dim)
    with pytest.raises(RowError, match="input 3: "):
        encoder.encode([*PHOTOS[:3], PHOTOS[3][:400], PHOTOS[4]])
    if hasattr(encoder, "encode_text"):
        texts = encoder.encode_text(TEXTS)
        assert np.concatenate([encoder.encode_text([one]) for one in TEXTS]).tobytes() == texts.tobytes()
        assert np.array_equal(texts[0], texts[2]) and not np.array_equal(texts[0], texts[1])
        with pytest.raises(RowError, match="input 1: .*Unicode"):
            encoder.encode_text(["a", "\ud800"])
    if hasattr(encoder, "patches"):
        whole = encoder.patches(PHOTOS)
        assert all(np.array_equal(encoder.patches([one])[0], found) for one, found in zip(PHOTOS, whole, strict=True))
        for (vector, parts), alone, patches in zip(encoder.in_parts(PHOTOS), together, whole, strict=True):
            assert np.array_equal(vector, alone) and np.array_equal(parts, patches)


@pytest.mark.parametrize(("use", "folder"), SEERS)
def test_extreme_shapes_are_seen(folders: dict[str, Path], use: str, folder: str) -> None:
    """One pixel, and strips whose short side scaled up whole would take gigabytes."""
    strips = []
    for size in ((1, 1), (30_000, 2), (2, 30_000)):
        out = io.BytesIO()
        Image.new("RGB", size, "teal").save(out, "PNG")
        strips.append(out.getvalue())
    vectors = load(use, folders[folder]).encode(strips)
    assert np.allclose(vectors, vectors[0], atol=1e-5) and np.isfinite(vectors).all()


@pytest.mark.parametrize("group", [1, 3, 11])
def test_the_size_of_a_group_changes_rounding_alone(folders: dict[str, Path], group: int) -> None:
    for use, folder in SEERS:
        usual, other = load(use, folders[folder]).encode(PHOTOS), load(use, folders[folder], group=group).encode(PHOTOS)
        assert np.allclose(usual, other, atol=1e-5)


def test_weights_of_half_the_size_give_nearly_the_same(folders: dict[str, Path]) -> None:
    for use, folder in SEERS:
        full, half = load(use, folders[folder]), load(use, folders[folder], dtype="bfloat16")
        assert half.encode(PHOTOS).dtype == np.float32
        assert 0 < np.abs(half.encode(PHOTOS) - full.encode(PHOTOS)).max() < 0.1
        if hasattr(full, "encode_text"):
            assert np.abs(half.encode_text(TEXTS) - full.encode_text(TEXTS)).max() < 0.1


def test_only_safetensors_are_read(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    for use in ("open_clip", "clip", "dino"):
        folder = tmp_path / use
        shutil.copytree(folders[use], folder)
        (weights,) = folder.glob("*.safetensors")

        torch.save(
            load_file(weights), folder / ("open_clip_pytorch_model.bin" if use == "open_clip" else "pytorch_model.bin")
        )
        weights.unlink()
        with pytest.raises(InputError, match="safetensors"):
            load(use, folder)


def test_what_does_not_load_says_why(folders: dict[str, Path], tmp_path: Path) -> None:
    for use in ("clip", "align", "blip", "dino"):
        with pytest.raises(InputError, match="does not load"):
            load(use, tmp_path / "missing")
    with pytest.raises(InputError, match="no folder"):
        load("open_clip", f"local-dir:{tmp_path}/missing")
    with pytest.raises(InputError, match="knows no ViT-B-32 with the weights best.*laion2b_s34b_b79k"):
        load("open_clip", "ViT-B-32", pretrained="best")
    with pytest.raises(InputError, match="did you mean ViT-B-32"):
        load("open_clip", "ViT-B-33")
    with pytest.raises(InputError, match="does not read images and texts"):
        load("clip", folders["dino"], processor=str(folders["clip"]))
    with pytest.raises(InputError, match="the device warp cannot be used"):
        models()["dino"](name=str(folders["dino"]), device="warp").load()
    other = tmp_path / "other"
    shutil.copytree(folders["open_clip"], other)
    told = json.loads((other / "open_clip_config.json").read_text())
    told["model_cfg"]["embed_dim"] = 25
    (other / "open_clip_config.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="other does not load"):
        load("open_clip", other)


def test_parts_without_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """They would be drawn at random, and their scores would be noise."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "dino"
    shutil.copytree(folders["dino"], folder)
    stored = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in stored.items() if "layernorm" not in name}, folder / "model.safetensors")
    with pytest.raises(InputError, match="holds no weights for .* parts of a Dinov2Model, such as layernorm"):
        load("dino", folder)
    with pytest.raises(InputError, match="does not load"):
        load("blip", folders["clip"])


def test_other_weights_in_the_same_folder_are_another_model(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(folders["clip"], folder)
    before = models()["clip"](name=str(folder)).identity()
    assert before == models()["clip"](name=str(folder)).identity()
    (folder / "model.safetensors").write_bytes(b"other")
    assert models()["clip"](name=str(folder)).identity() != before
    assert "files" not in models()["clip"](name="org/on-the-hub").identity()
