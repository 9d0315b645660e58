"""Images a second of neural image encoders, and their ratio to a bare batched loop over the same model.

    RATHER_TEST_DATA=... python bench/image_encoders.py [--rounds 5] [--images 48] [--stream 100000]

Models have the published shapes and random weights, saved to a folder and loaded as a user would. The
bare loop decodes, prepares and runs batches of 8, one after the other. Loop and encoder take turns as in
`encoders.py`. Where torch sees a GPU, CLIP ViT-L/14 follows there in bfloat16, in batches of 64.
`--stream N` instead runs a recipe over N small synthetic photos (read, embedded by a narrow model, written)
and prints the size of the process and how much more that is than for a tenth of them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from encoders import compare  # the sibling script
from rather.cli import api
from rather.core.registry import models
from rather.models.imaging import decoded

GROUP = {"cpu": 8, "cuda": 64}
"""Images that run together, in the encoders and in the bare loops alike."""


def clip(folder: Path, shape: str, device: str, dtype: str) -> tuple[str, Callable[[list[bytes]], np.ndarray]]:
    """A CLIP of OpenCLIP with random weights of a published shape."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    network, _, prepare = open_clip.create_model_and_transforms(shape)
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    told = {"model_cfg": open_clip.get_model_config(shape), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(told))
    kind, size = getattr(torch, dtype), GROUP[device]
    network.eval().to(device, kind)

    def bare(images: list[bytes]) -> np.ndarray:
        found = []
        with torch.inference_mode():
            for start in range(0, len(images), size):
                pixels = torch.stack([prepare(decoded(image)) for image in images[start : start + size]])
                vectors = network.encode_image(pixels.to(device, kind)).float()
                found.append(torch.nn.functional.normalize(vectors, dim=-1).cpu().numpy())
        return np.concatenate(found)

    return "open_clip", bare


def dino(folder: Path, **shape: Any) -> tuple[str, Callable[[list[bytes]], np.ndarray]]:
    """DINOv2 ViT-S/14 at 224 pixels, unless another shape is given."""
    import torch
    from transformers import AutoImageProcessor, BitImageProcessor, Dinov2Config, Dinov2Model

    small = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "image_size": 224, "patch_size": 14}
    network = Dinov2Model(Dinov2Config(**(small | shape)))
    network.save_pretrained(folder)
    side = (small | shape)["image_size"]
    BitImageProcessor(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_mean=[0.5] * 3,
        image_std=[0.2] * 3,
    ).save_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder)
    network.eval()

    def bare(images: list[bytes]) -> np.ndarray:
        found = []
        with torch.inference_mode():
            for start in range(0, len(images), GROUP["cpu"]):
                pictures = [decoded(image) for image in images[start : start + GROUP["cpu"]]]
                states = network(**processor(images=pictures, return_tensors="pt")).last_hidden_state[:, 0]
                found.append(torch.nn.functional.normalize(states, dim=-1).numpy())
        return np.concatenate(found)

    return "dino", bare


def synthetic(n: int) -> Iterator[bytes]:
    """Small JPEGs, unlike one another, made when they are asked for."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for k in range(n):
        out = io.BytesIO()
        field = rng.integers(0, 256, (3, 3, 3)).astype(np.uint8)
        Image.fromarray(field).resize((64, 48)).save(out, "JPEG", comment=str(k).encode())
        yield out.getvalue()


RECIPE = """name: stream
models:
  see: {{use: dino, name: '{home}/model', device: cpu}}
stages:
  - read.images: {{path: '{home}/photos'}}
  - embed.image: {{model: see, of: [chosen]}}
  - write.parquet: {{dialect: rather}}
"""


def run_over(n: int) -> float:
    """Largest resident size of this process, in MiB, after a run over n photos of one subject."""
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "photos/thing").mkdir(parents=True)
        for k, image in enumerate(synthetic(n)):
            (home / f"photos/thing/{k}.jpg").write_bytes(image)
        dino(home / "model", **shape)
        (home / "stream.yaml").write_text(RECIPE.format(home=home))
        view = api.run(home / "stream.yaml", out=home / "run")
        if view.funnel[-1].rows_out != n:
            sys.exit(f"of {n} photos {view.funnel[-1].rows_out} arrived")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stream(n: int) -> dict[str, Any]:
    """Size of a process that runs over n photos, and how much larger it is than one that runs over a tenth."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as fresh:
        tenth, whole = fresh.map(run_over, (n // 10, n))
    return {"streamed": n, "peak_mib": round(whole), "growth_mib": round(whole - tenth)}


def measure(
    label: str, made: Callable[[Path], tuple[str, Any]], photos: list[bytes], rounds: int, **where: Any
) -> dict[str, Any]:
    """Encoder and bare loop give the same vectors, or an error; then one line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        use, bare = made(Path(folder))
        encoder = models()[use](name=folder, group=GROUP[where["device"]], **where).load()
        cosines = (encoder.encode(photos[:9]) * bare(photos[:9])).sum(axis=1)
        if (cosines < (0.999 if where["dtype"] == "bfloat16" else 0.99999)).any():
            sys.exit(f"{label}: encoder and bare loop give vectors of cosines from {cosines.min():.6f}")
        return compare(label, encoder.encode, bare, photos, rounds)


def main() -> None:
    """Print one JSON line a comparison."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--stream", type=int, default=0)
    options = parser.parse_args()
    if options.stream:
        print(json.dumps(stream(options.stream)))
        return
    data = Path(os.environ.get("RATHER_TEST_DATA", ""))
    if not (data / "images").is_dir():
        sys.exit("RATHER_TEST_DATA must name the folder of real data")
    photos = [file.read_bytes() for file in sorted((data / "images").rglob("*.jpg"))][: options.images]
    usual = {"device": "cpu", "dtype": "float32"}
    small = partial(clip, shape="ViT-B-32", **usual)
    for label, made in (("CLIP ViT-B/32", small), ("DINOv2 ViT-S/14", dino)):
        print(json.dumps(measure(label, made, photos, options.rounds, **usual)), flush=True)
    label = "CLIP ViT-L/14, bfloat16 on a GPU"
    if not torch.cuda.is_available():
        print(json.dumps({"encoder": label, "skipped": "torch sees no GPU"}))
        return
    # Bytes after a JPEG's end change no pixel, and make of one photo as many inputs as are wanted.
    many = [photo + bytes(k) for k in range(-(-512 // len(photos))) for photo in photos][:512]
    fast = {"device": "cuda", "dtype": "bfloat16"}
    print(json.dumps(measure(label, partial(clip, shape="ViT-L-14", **fast), many, options.rounds, **fast)))


if __name__ == "__main__":
    main()
