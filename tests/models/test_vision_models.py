"""Every loader of a model that sees, on random weights saved as published ones are, against the library itself."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.core.errors import InputError, RowError
from rather.core.registry import models
from rather.core.row import ANSWER, text_messages
from rather.models.imaging import decoded

from ..photos import photo
from ..runs import run_text
from ..tiny_vision import (
    align_folder,
    blip_folder,
    clip_folder,
    dino_folder,
    open_clip_folder,
    open_clip_siglip_folder,
    siglip_folder,
)

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
transformers = pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed (rather[images])")
pytestmark = pytest.mark.full

PHOTOS = [photo(k, width=40 + 9 * k, height=60) for k in range(11)]
TEXTS = ["a red hat", "two dog", "a red hat", "", "on the beach"]
FOLDERS: dict[str, Callable[[Path], Path]] = {
    "open_clip": open_clip_folder,
    "clip": clip_folder,
    "align": align_folder,
    "blip": blip_folder,
    "dino": dino_folder,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: made(tmp_path_factory.mktemp(name)) for name, made in FOLDERS.items()}


def load(use: str, name: Any, **options: Any) -> Any:
    return models()[use](name=str(name), device="cpu", **options).load()


def unit(rows: Any) -> np.ndarray:
    rows = rows.detach().double().numpy()
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def by_transformers(folder: Path, family: Any = None) -> tuple[Any, Any, Any]:
    """The model, its tokens of TEXTS and its pixels of PHOTOS, all at once."""
    network = (family or transformers.AutoModel).from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pixels = processor(images=[decoded(image) for image in PHOTOS], return_tensors="pt")["pixel_values"]
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError):
        return network, None, pixels
    return network, tokenizer(TEXTS, padding=True, return_tensors="pt"), pixels


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


def test_image_reward_reads_prompt_and_image_together(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import save_file

    network, _, pixels = by_transformers(folders["blip"], transformers.BlipForImageTextRetrieval)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["blip"])
    layers = torch.nn.Sequential(torch.nn.Linear(32, 6), torch.nn.Dropout(0.2), torch.nn.Linear(6, 1)).eval()
    save_file({f"layers.{name}": value for name, value in layers.state_dict().items()}, tmp_path / "head.safetensors")
    options = {"head": str(tmp_path / "head.safetensors"), "mean": 0.5, "deviation": 2.0}
    found = load("imagereward", folders["blip"], **options).score(["a red hat", "dog", "hat " * 60], PHOTOS[:3])
    for k, prompt in enumerate(("a red hat", "dog")):
        tokens = tokenizer([prompt], return_tensors="pt")
        with torch.no_grad():
            states = network.vision_model(pixel_values=pixels[k : k + 1]).last_hidden_state
            text = network.text_encoder(
                tokens["input_ids"], attention_mask=tokens["attention_mask"], encoder_hidden_states=states
            )
            expected = (float(layers(text.last_hidden_state[:, 0])) - 0.5) / 2
        assert found[k] == pytest.approx(expected, abs=1e-5)
    assert np.isnan(found[2])
    save_file({"weight": torch.zeros(1, 9)}, tmp_path / "head.safetensors")
    with pytest.raises(InputError, match="reads 9 numbers"):
        load("imagereward", folders["blip"], **options)


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


def test_pickscore_and_hps_are_scaled_cosines(folders: dict[str, Path]) -> None:
    network, _, pixels = by_transformers(folders["clip"])
    tokens = transformers.AutoTokenizer.from_pretrained(folders["clip"])(["a hat"], return_tensors="pt")
    with torch.no_grad():
        expected = network(**tokens, pixel_values=pixels).logits_per_text[0].numpy()
    reward = load("pickscore", folders["clip"])
    assert reward.prompted and reward.score(["a hat"] * 11, PHOTOS) == pytest.approx(expected, abs=1e-4)
    assert np.isnan(reward.score(["a hat" * 9], PHOTOS[:1])).all()
    encoder, hps = load("open_clip", folders["open_clip"]), load("hps", folders["open_clip"])
    cosines = (encoder.encode_text(["a hat"]).astype(np.float64) * encoder.encode(PHOTOS)).sum(1)
    assert hps.score(["a hat"] * 11, PHOTOS) == pytest.approx(encoder.scale * cosines, abs=1e-5)


@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize("library", ["transformers", "open_clip"])
def test_an_aesthetic_head_reads_image_vectors(
    folders: dict[str, Path], tmp_path: Path, activation: str, library: str
) -> None:
    from safetensors.torch import save_file

    layers = [torch.nn.Linear(24, 8), torch.nn.Linear(8, 1)]
    stored = {f"layers.{2 * k + 8}.{n}": t for k, layer in enumerate(layers) for n, t in layer.state_dict().items()}
    save_file(stored, tmp_path / "head.safetensors")
    use = "clip" if library == "transformers" else "open_clip"
    options = {"head": str(tmp_path / "head.safetensors"), "library": library, "activation": activation}
    found = load("aesthetic", folders[use], **options).score([""] * 11, PHOTOS)
    with torch.no_grad():
        state = layers[0](torch.tensor(load(use, folders[use]).encode(PHOTOS)))
        expected = layers[1](state.relu() if activation == "relu" else state)[:, 0]
    assert found == pytest.approx(expected.numpy(), abs=1e-5) and np.ptp(found) > 1e-3


def test_heads_that_do_not_fit_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    for shapes, cause in (((1, 9), "reads 9 numbers"), ((2, 24), "no chain of layers")):
        save_file({"weight": rng.normal(size=shapes)}, tmp_path / "head.safetensors")
        with pytest.raises(InputError, match=cause):
            load("aesthetic", folders["clip"], head=str(tmp_path / "head.safetensors"))
    with pytest.raises(InputError, match="there is no file"):
        load("aesthetic", folders["clip"], head=str(tmp_path / "none.safetensors"))


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


def test_rewards_and_encoders_of_the_same_weights_share_their_vectors(folders: dict[str, Path], tmp_path: Path) -> None:
    shown = [{"image": {"bytes": image, "path": None}, "text": None} for image in PHOTOS]
    rows = {"prompt": text_messages(pa.array([f"a {k}" for k in range(11)])), "chosen": pa.array(shown, ANSWER)}
    pq.write_table(pa.table(rows | {"rejected": pa.array(shown[::-1], ANSWER)}), tmp_path / "rows.parquet")
    text = f"""
name: shared
models:
  see: {{use: clip, name: '{folders["clip"]}', device: cpu}}
  like: {{use: pickscore, name: '{folders["clip"]}', device: cpu}}
stages:
  - read.rows: {{path: '{tmp_path}/rows.parquet'}}
  - score.clip_t: {{model: see}}
  - score.preference: {{model: like}}
"""
    view = run_text(text, tmp_path / "a" / "run")
    found = view.frame("score.preference").table()
    scale = load("clip", folders["clip"]).scale
    for side in ("chosen", "rejected"):
        cosines = np.array(found[f"{side}_clip_t"].to_pylist())
        assert np.array(found[f"{side}_preference"].to_pylist()) == pytest.approx(scale * cosines, abs=1e-4)
    stores = {path.name: sum(1 for _ in path.iterdir()) for path in (tmp_path / "a" / "vectors").iterdir()}
    assert len(stores) == 2, "one of images and one of texts, for the encoder and the reward alike"
    kept = [
        pa.ipc.open_file(shard).read_all()["key"].to_pylist() for shard in (tmp_path / "a/vectors").rglob("*.arrow")
    ]
    made = [key for keys in kept for key in keys if len(key) == 16]
    assert len(made) == len(set(made)) == 22, "each image and each prompt once"


SEERS = [("open_clip", "open_clip"), ("clip", "clip"), ("align", "align"), ("blip", "blip"), ("dino", "dino")]


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
