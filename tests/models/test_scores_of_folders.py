"""Scores of a recipe whose models are named by folder, against the libraries that published models are run with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.row import ANSWER, COLUMNS, text_messages
from rather.core.view import RunView
from rather.models.imaging import decoded

from ..runs import run_text
from ..seeing import PHOTOS, by_transformers, unit

torch = pytest.importorskip("torch", reason="torch is not installed (rather[images])")
transformers = pytest.importorskip("transformers", reason="transformers is not installed (rather[images])")
open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed (rather[images])")
pytestmark = pytest.mark.full
PROMPTS = ["a red hat", "two dog", "on the beach", "a dog", "the hat", "red"]
ROWS = len(PROMPTS)
CHOSEN, FIRST, SECOND = (np.arange(ROWS) + start for start in (0, 3, 5))
"""Which of PHOTOS is the chosen image of each row, and which are its two references."""


def run(tmp_path: Path, model: str, stages: str) -> RunView:
    images = [{"bytes": photo, "path": None} for photo in PHOTOS]
    rows = {
        "prompt": text_messages(pa.array(PROMPTS)),
        "chosen": pa.array([{"image": images[k], "text": None} for k in CHOSEN], ANSWER),
        "images": pa.array([[images[a], images[b]] for a, b in zip(FIRST, SECOND, strict=True)], COLUMNS["images"]),
    }
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    models = f"models:\n  see: {{{model}, device: cpu}}\n"
    recipe = f"name: s\n{models}stages:\n  - read.rows: {{path: '{tmp_path}/rows.parquet'}}\n{stages}"
    return run_text(recipe, tmp_path / "run")


def column(view: RunView, stage: str, name: str) -> np.ndarray:
    return np.array(view.frame(stage).table([name])[name].to_pylist(), float)


def of_library(library: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of PHOTOS and of PROMPTS."""
    if library == "open_clip":
        network, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{folder}")
        tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(PROMPTS)
        with torch.no_grad():
            seen = network.eval().encode_image(torch.stack([prepare(decoded(photo)) for photo in PHOTOS]))
            return unit(seen), unit(network.encode_text(tokens))
    network, _, pixels = by_transformers(folder)
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(PROMPTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        found = network(**tokens, pixel_values=pixels)
    return unit(found.image_embeds), unit(found.text_embeds)


def likeness(seen: np.ndarray) -> np.ndarray:
    """Mean cosine of each row's chosen image to its two references."""
    return np.asarray(((seen[CHOSEN] * seen[FIRST]).sum(1) + (seen[CHOSEN] * seen[SECOND]).sum(1)) / 2)


TOWERS = """  - score.clip_t: {model: see, of: chosen}
  - score.clip_i: {model: see, of: chosen}
  - score.lambda_harmonic: {model: see, of: chosen, weight: 0.3}
"""


@pytest.mark.parametrize("library", ["open_clip", "clip", "align"])
def test_scores_of_two_towers(folders: dict[str, Path], tmp_path: Path, library: str) -> None:
    """λ = .3: 1 / (.3 / s_I + .7 / s_T), each s a cosine mapped to [0, 1]."""
    view = run(tmp_path, f"use: {library}, name: '{folders[library]}'", TOWERS)
    seen, read = of_library(library, folders[library])
    texts, images = (seen[CHOSEN] * read).sum(1), likeness(seen)
    assert column(view, "score.clip_t", "chosen_clip_t") == pytest.approx(texts, abs=1e-5)
    assert column(view, "score.clip_i", "chosen_clip_i") == pytest.approx(images, abs=1e-5)
    mean = 1 / (0.3 / ((images + 1) / 2) + 0.7 / ((texts + 1) / 2))
    found = column(view, "score.lambda_harmonic", "chosen_lambda_harmonic")
    assert found == pytest.approx(mean, abs=1e-5) and np.ptp(found) > 1e-3


def test_scores_of_dino(folders: dict[str, Path], tmp_path: Path) -> None:
    view = run(tmp_path, f"use: dino, name: '{folders['dino']}'", "  - score.dino: {model: see, of: chosen}\n")
    network, _, pixels = by_transformers(folders["dino"])
    with torch.no_grad():
        expected = likeness(unit(network(pixel_values=pixels).last_hidden_state[:, 0]))
    assert column(view, "score.dino", "chosen_dino") == pytest.approx(expected, abs=1e-5) and np.ptp(expected) > 1e-3


@pytest.mark.parametrize("head", ["itc", "itm"])
def test_scores_of_blip(folders: dict[str, Path], tmp_path: Path, head: str) -> None:
    stages = f"  - score.blip_itc: {{model: see, of: chosen, head: {head}}}\n"
    view = run(tmp_path, f"use: blip, name: '{folders['blip']}', max_tokens: 48", stages)
    network, _, pixels = by_transformers(folders["blip"], transformers.BlipForImageTextRetrieval)
    tokenizer, expected = transformers.AutoTokenizer.from_pretrained(folders["blip"]), list[Any]()
    for k, prompt in enumerate(PROMPTS):
        tokens = {n: t for n, t in tokenizer([prompt], return_tensors="pt").items() if n != "token_type_ids"}
        with torch.no_grad():
            score = network(**tokens, pixel_values=pixels[k : k + 1], use_itm_head=head == "itm").itm_score
        expected.append(float(score.softmax(-1)[0, 1] if head == "itm" else score[0, 0]))
    assert column(view, "score.blip_itc", f"chosen_blip_{head}") == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected) > 1e-3
