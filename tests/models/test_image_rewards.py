"""Rewards of images on random weights, against computations made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.core.row import ANSWER, text_messages

from ..runs import run_text
from ..seeing import PHOTOS, by_transformers, load

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
transformers = pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed (rather[images])")
pytestmark = pytest.mark.full


def test_pickscore_and_hps_are_scaled_cosines(folders: dict[str, Path]) -> None:
    network, _, pixels = by_transformers(folders["clip"])
    tokens = transformers.AutoTokenizer.from_pretrained(folders["clip"])(["a hat"], return_tensors="pt")
    with torch.no_grad():
        expected = network(**tokens, pixel_values=pixels).logits_per_text[0].numpy()
    reward = load("pickscore", folders["clip"])
    assert reward.score(["a hat"] * 11, PHOTOS) == pytest.approx(expected, abs=1e-4)
    assert np.isnan(reward.score(["a hat" * 9], PHOTOS[:1])).all()
    encoder, hps = load("open_clip", folders["open_clip"]), load("hps", folders["open_clip"])
    cosines = (encoder.encode_text(["a hat"]).astype(np.float64) * encoder.encode(PHOTOS)).sum(1)
    assert hps.score(["a hat"] * 11, PHOTOS) == pytest.approx(encoder.scale * cosines, abs=1e-5)


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
