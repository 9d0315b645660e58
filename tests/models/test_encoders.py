"""Encoders: the promises of models/base.py on every one, and quality on real data."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rather.core.errors import MissingExtra, RowError
from rather.core.registry import models, models_of
from rather.models import encoders_image, encoders_text, running
from rather.models.base import ImageEncoder, TextEncoder
from rather.models.encoders_image import EfficientNetLite0
from rather.models.encoders_text import MiniLM, MiniLMSpec, StaticSpec, StaticText
from rather.models.fake_vision import FakeStyle, FakeVision
from rather.models.fakes import FakeImageEncoder, FakeTextEncoder

WORDS = "seven grey geese walk home along the cold river while a baker counts Zürich 北京 12.5%"
TEXT_ENCODERS = [StaticText(), MiniLM(), FakeTextEncoder(), FakeTextEncoder(dim=7)]
IMAGE_ENCODERS = [EfficientNetLite0(), FakeImageEncoder(), FakeVision(), FakeStyle()]


def sentences(n: int, seed: int = 0) -> list[str]:
    """Texts of 1 to 60 words, so that every pair of neighbours differs in length."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS.split(), k=1 + (i * 17) % 60)) for i in range(n)]


def pictures(n: int, side: int = 40) -> list[bytes]:
    """PNGs of smooth random colour fields, of differing shapes."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(n):
        field = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(field).resize((side + 7 * i, side)).save(buffer, "PNG")
        found.append(buffer.getvalue())
    return found


def encoder_id(encoder: TextEncoder | ImageEncoder) -> str:
    return f"{encoder.name}{encoder.dim}"


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Share of (positive, negative) pairs in the right order, ties one half."""
    order = np.sort(negative)
    below = np.searchsorted(order, positive, "left") + np.searchsorted(order, positive, "right")
    return float(below.mean() / (2 * len(order)))


def assert_promises(encoder: Any, inputs: Sequence[str] | Sequence[bytes]) -> None:
    """dtype, shape, length 1, order, and every row the same alone as in company."""
    together = encoder.encode(inputs)
    assert together.dtype == np.float32 and together.shape == (len(inputs), encoder.dim)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode([one]) for one in inputs])
    assert together.tobytes() == alone.tobytes()
    backwards = encoder.encode(inputs[::-1])
    assert backwards[::-1].tobytes() == together.tobytes()
    assert len(np.unique(together, axis=0)) == len(set(inputs))
    twice = encoder.encode([inputs[0], inputs[1], inputs[0]])
    assert np.array_equal(twice[0], twice[2]) and not np.array_equal(twice[0], twice[1])


@pytest.mark.parametrize("encoder", TEXT_ENCODERS, ids=encoder_id)
def test_text_encoders_keep_their_promises(encoder: TextEncoder) -> None:
    assert_promises(encoder, sentences(40))


@pytest.mark.parametrize("encoder", IMAGE_ENCODERS, ids=encoder_id)
def test_image_encoders_keep_their_promises(encoder: ImageEncoder) -> None:
    assert_promises(encoder, pictures(19))


@pytest.mark.parametrize("encoder", TEXT_ENCODERS, ids=encoder_id)
def test_a_text_without_tokens_is_a_row_of_zeros(encoder: TextEncoder) -> None:
    vectors = encoder.encode(["", "a word", " \n\t "])
    assert not vectors[[0, 2]].any() and vectors[1].any()
    assert encoder.encode([]).shape == (0, encoder.dim)


@pytest.mark.parametrize("encoder", IMAGE_ENCODERS, ids=encoder_id)
def test_no_image_is_no_row(encoder: ImageEncoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_results_do_not_depend_on_chunks_micro_batches_or_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts, images = sentences(30), pictures(11)

    def all_bytes() -> list[bytes]:
        vectors = [
            StaticText().encode(texts),
            MiniLM().encode(texts),
            EfficientNetLite0().encode(images),
        ]
        return [array.tobytes() for array in vectors]

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    reference = all_bytes()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(encoders_text, "CHUNK", 4)
    monkeypatch.setattr(encoders_image, "MICRO_BATCH", 3)
    assert running.workers() == 3
    assert all_bytes() == reference


def test_static_vectors_follow_the_published_formula() -> None:
    """Token rows x scale, mean, normalise, subtract the corpus mean, normalise: in float64."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    stored = load_file(encoders_text.FOLDER / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(encoders_text.FOLDER / "tokenizer.json"))
    tokenizer.no_padding()
    texts = sentences(12)
    for text, vector in zip(texts, StaticText().encode(texts), strict=True):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        scale = stored["row_scale"][ids].astype(np.float64)[:, None]
        mean = (stored["embeddings_int8"][ids] * scale).mean(axis=0)
        centred = mean / np.linalg.norm(mean) - stored["corpus_mean"]
        assert np.allclose(vector, centred / np.linalg.norm(centred), atol=2e-6)


@pytest.mark.parametrize("kind", [StaticText, MiniLM])
def test_tokens_past_the_cap_do_not_count(kind: type[StaticText] | type[MiniLM]) -> None:
    head = "geese " * 20
    few = kind(max_tokens=12)
    assert np.array_equal(*few.encode([head + "river", head + "loaf"]))
    assert not np.array_equal(*kind(max_tokens=64).encode([head + "river", head + "loaf"]))


def test_topics_are_told_apart() -> None:
    texts = [
        "How do I bake sourdough bread?",
        "Knead the dough, let it rise, then bake the bread.",
        "The court fined the bank.",
    ]
    for encoder in (StaticText(), MiniLM()):
        bread, recipe, court = encoder.encode(texts)
        assert bread @ recipe > 0.3 > bread @ court + 0.1


@pytest.mark.parametrize("encoder", TEXT_ENCODERS, ids=encoder_id)
def test_what_is_no_text_is_named_by_its_index(encoder: TextEncoder) -> None:
    with pytest.raises(RowError, match="input 2: a NoneType"):
        encoder.encode(["a", "a", None])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="not one str"):
        encoder.encode("a text")


@pytest.mark.parametrize("encoder", [StaticText(), MiniLM()], ids=encoder_id)
def test_a_lone_surrogate_is_named_by_its_index(encoder: TextEncoder) -> None:
    with pytest.raises(RowError, match="input 2: .*character 1"):
        encoder.encode(["é", "é", "a\ud800"])


def test_corrupt_images_are_named_by_their_index() -> None:
    good = pictures(2)
    for bad in (b"", b"not an image", good[0][: len(good[0]) // 2]):
        with pytest.raises(RowError, match="input 3: .*picture"):
            EfficientNetLite0().encode([good[0], good[1], good[0], bad])
    with pytest.raises(RowError, match="input 0: a str"):
        EfficientNetLite0().encode(["photo.jpg"])  # type: ignore[list-item]


def test_every_mode_and_orientation_of_an_image_is_read() -> None:
    """A turned photo with its EXIF tag is the upright photo; one pixel is still an image."""
    upright = Image.open(io.BytesIO(pictures(1, side=224)[0])).convert("RGB")
    turned, tag = upright.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    tag[0x0112] = 6
    plain, tagged = io.BytesIO(), io.BytesIO()
    upright.save(plain, "PNG")
    turned.save(tagged, "PNG", exif=tag)
    images = [plain.getvalue(), tagged.getvalue()]
    for mode in ("L", "P", "RGBA", "1", "LA"):
        buffer = io.BytesIO()
        Image.new(mode, (1, 1)).save(buffer, "PNG")
        images.append(buffer.getvalue())
    vectors = EfficientNetLite0().encode(images)
    assert np.array_equal(vectors[0], vectors[1])
    assert np.isfinite(vectors).all()


def test_logits_are_a_thousand_classes() -> None:
    images, encoder = pictures(3), EfficientNetLite0()
    logits = encoder.logits(images)
    assert logits.shape == (3, 1000) == (3, len(encoder.labels())) and logits.dtype == np.float32
    assert np.array_equal(encoder.logits(images[2:]), logits[2:])


def test_every_encoder_is_a_model_of_its_kind() -> None:
    assert {"static", "minilm", "fake_text"} <= set(models_of("text_encoder"))
    assert {"efficientnet", "fake_image"} <= set(models_of("image_encoder"))
    known = models()
    assert isinstance(known["static"]().load(), StaticText)
    assert StaticSpec(max_tokens=9).load() == StaticText(9)
    assert isinstance(known["efficientnet"]().load(), EfficientNetLite0)
    with pytest.raises(ValueError, match="max_tokens"):
        MiniLMSpec(max_tokens=513)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"rather\[minilm\]"):
        models()["minilm"]().load()


@pytest.mark.parametrize("encoder", TEXT_ENCODERS + IMAGE_ENCODERS, ids=encoder_id)
def test_encoders_travel_between_processes(encoder: TextEncoder | ImageEncoder) -> None:
    assert pickle.loads(pickle.dumps(encoder)) == encoder


def real(path: str) -> Path:
    """A file of the real data; skips the test where there is none."""
    folder = os.environ.get("RATHER_TEST_DATA")
    if not folder:
        pytest.skip("RATHER_TEST_DATA is not set")
    return Path(folder) / path


@pytest.mark.data
@pytest.mark.parametrize(("encoder", "least"), [(StaticText(), 0.92), (MiniLM(), 0.97)], ids=["static", "minilm"])
def test_own_answers_are_nearer_than_others_on_llmbar(encoder: TextEncoder, least: float) -> None:
    """Cosine of a prompt and its own answer against every other prompt's answer, 120 pairs."""
    lines = real("preferences/llmbar.jsonl").read_text(encoding="utf-8").splitlines()
    rows = random.Random(1).sample([json.loads(line) for line in lines], 120)
    prompts = encoder.encode([row["prompt"] for row in rows])
    cosines = prompts @ encoder.encode([row["chosen"] for row in rows]).T
    own = np.eye(len(rows), dtype=bool)
    assert auroc(cosines[own], cosines[~own]) >= least


@pytest.mark.data
def test_same_subjects_are_nearer_than_others_on_dreambooth() -> None:
    """Every pair of 60 photos of 15 subjects; the reference is 0.997."""
    manifest = real("images/dreambooth_subset/manifest.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in manifest.splitlines()]
    vectors = EfficientNetLite0().encode([real(row["file"]).read_bytes() for row in rows])
    subjects = np.array([row["subject"] for row in rows])
    above = np.triu_indices(len(rows), 1)
    cosines, same = (vectors @ vectors.T)[above], (subjects[:, None] == subjects)[above]
    assert auroc(cosines[same], cosines[~same]) >= 0.98
