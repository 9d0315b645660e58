"""Zero-shot detectors on tiny random weights: their own post-processing is the reference; and the fake."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rather.core.errors import InputError, RowError
from rather.models.fake_detector import FakeDetectorSpec
from rather.models.regions import Found, cut, distinct, overlap

from ..photos import photo

PHOTOS = [photo(k, width=90, height=60) for k in range(3)]
NAMED = ("red hat", "dog")


def spots(*where: tuple[str, tuple[int, int, int, int]]) -> bytes:
    """A grey picture, 64 by 64, with these rectangles."""
    picture = Image.new("RGB", (64, 64), (127, 127, 127))
    for colour, box in where:
        picture.paste(Image.new("RGB", (box[2] - box[0], box[3] - box[1]), colour), box[:2])
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def test_the_fake_finds_spots_of_the_colour_named() -> None:
    image = spots(("red", (0, 0, 32, 16)), ("red", (40, 40, 48, 64)), ("blue", (0, 48, 16, 64)))
    [found, none] = FakeDetectorSpec().load().detect([image, image], [("a red hat", "blue"), ()])
    assert {(one.phrase, one.box) for one in found} == {
        ("a red hat", (0, 0, 0.5, 0.25)), ("a red hat", (0.625, 0.625, 0.75, 1.0)), ("blue", (0, 0.75, 0.25, 1.0))
    }  # fmt: skip
    assert none == [] and all(one.score == 1 for one in found)
    with pytest.raises(RowError, match="1"):
        FakeDetectorSpec().load().detect([image, b"x"], [("red",), ("red",)])


def test_overlaps_and_cuts() -> None:
    assert (
        overlap((0, 0, 0.5, 1), (0.25, 0, 0.75, 1)) == pytest.approx(1 / 3) and overlap((0, 0, 1, 1), (0, 0, 1, 1)) == 1
    )
    assert overlap((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)) == 0
    one, near, other = (
        Found(b, s, p)
        for b, s, p in (((0, 0, 1, 1), 0.5, "a"), ((0, 0, 1, 0.9), 0.9, "a"), ((0, 0, 1, 0.95), 0.4, "b"))
    )
    assert distinct([one, near, other], 0.5, False) == [near] and distinct([one, near, other], 0.5, True) == [
        near,
        other,
    ]
    red = spots(("red", (0, 0, 32, 16)))
    [piece, speck] = cut(red, [(0, 0, 0.5, 0.25), (0.999, 0.999, 1.0, 1.0)])
    assert Image.open(io.BytesIO(piece)).size == (32, 16) and Image.open(io.BytesIO(speck)).size == (1, 1)
    with pytest.raises(RowError):
        cut(b"no image", [])


@pytest.fixture(scope="session")
def owls(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    pytest.importorskip("torch")
    from ..tiny_detectors import owl_folder

    return {version: owl_folder(tmp_path_factory.mktemp(f"owl{version}"), version) for version in (1, 2)}


@pytest.fixture(scope="session")
def grounding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    from ..tiny_detectors import grounding_folder

    return grounding_folder(tmp_path_factory.mktemp("grounding"))


def detector(folder: Path, **options: Any) -> Any:
    from rather.models.detectors import ZeroShotDetectorSpec

    return ZeroShotDetectorSpec(name=str(folder), device="cpu", **options).load()


def sides(found: list[Found]) -> np.ndarray:
    """[n, 5]: boxes in pixels of a picture of 90 by 60, and scores; by score."""
    rows = np.array([[*np.multiply(one.box, (90, 60, 90, 60)), one.score] for one in found])
    return rows[np.argsort(-rows[:, 4], kind="stable")]


@pytest.mark.parametrize("version", [1, 2])
def test_owls_find_what_their_own_processor_finds(owls: dict[int, Path], version: int) -> None:
    import torch
    import transformers as hf

    family = "Owlv2" if version == 2 else "OwlViT"
    network = getattr(hf, f"{family}ForObjectDetection").from_pretrained(owls[version]).eval()
    tokens = hf.AutoTokenizer.from_pretrained(owls[version])
    images = hf.AutoImageProcessor.from_pretrained(owls[version])
    feed = tokens([f"see {name}" for name in NAMED], padding="max_length", max_length=32, return_tensors="pt")
    pixels = images(Image.open(io.BytesIO(PHOTOS[0])), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        out = network(pixel_values=pixels, input_ids=feed["input_ids"], attention_mask=feed["attention_mask"])
    [told] = images.post_process_object_detection(out, threshold=0.3, target_sizes=[(60, 90)])
    boxes = told["boxes"].numpy().clip(0, (90, 60, 90, 60))
    inside = (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
    assert inside.sum() > 1
    expected = np.concatenate([boxes, told["scores"].numpy()[:, None]], axis=1)[inside]
    found = detector(owls[version], template="see {}", box_threshold=0.3).detect([PHOTOS[0]], [NAMED])[0]
    assert np.allclose(sides(found), expected[np.argsort(-expected[:, 4], kind="stable")], atol=1e-3)
    labels = [NAMED[k] for k in told["labels"][torch.tensor(inside)].tolist()]
    assert sorted(one.phrase for one in found) == sorted(labels)


def test_grounding_dino_finds_what_its_own_processor_finds(grounding: Path) -> None:
    import torch
    import transformers as hf

    network = hf.GroundingDinoForObjectDetection.from_pretrained(grounding).eval()
    processor = hf.GroundingDinoProcessor(
        hf.AutoImageProcessor.from_pretrained(grounding), hf.AutoTokenizer.from_pretrained(grounding)
    )
    feed = processor(images=Image.open(io.BytesIO(PHOTOS[0])), text="red hat. dog.", return_tensors="pt")
    with torch.inference_mode():
        out = network(**feed)
    [told] = processor.post_process_grounded_object_detection(
        out, feed["input_ids"], threshold=0.6, text_threshold=0.4, target_sizes=[(60, 90)]
    )
    found = detector(grounding, box_threshold=0.6, text_threshold=0.4).detect([PHOTOS[0]], [NAMED])[0]
    words = [set(text.split()) for text in told["text_labels"]]
    boxes = told["boxes"].numpy().clip(0, (90, 60, 90, 60))
    for phrase in NAMED:
        lit = [k for k, said in enumerate(words) if said & set(phrase.split())]
        mine = sides([one for one in found if one.phrase == phrase])[:, :4]
        theirs = [row for row in boxes[lit] if row[0] < row[2] and row[1] < row[3]]
        assert len(mine) == len(theirs) > 0
        assert np.allclose(np.sort(mine, axis=0), np.sort(theirs, axis=0), atol=1e-3)


def test_what_is_found_is_the_same_alone_and_in_company(owls: dict[int, Path], grounding: Path) -> None:
    for folder in (owls[1], owls[2], grounding):
        model = detector(folder, box_threshold=0.3)
        phrases = [NAMED, ("dog",), ()]
        together = model.detect(PHOTOS, phrases)
        assert together == [model.detect([image], [named])[0] for image, named in zip(PHOTOS, phrases, strict=True)]
        assert together[0] and together[2] == []
        assert all(a.score >= b.score for a, b in zip(together[0], together[0][1:], strict=False))
        assert model.detect([PHOTOS[0]], [("dog", "dog")])[0] == model.detect([PHOTOS[0]], [("dog",)])[0]


def test_what_cannot_be_read_or_seen_is_told(owls: dict[int, Path], tmp_path: Path) -> None:
    model = detector(owls[1], template="{}")
    with pytest.raises(RowError, match="cannot read 'a dog of very many words"):
        model.detect([PHOTOS[0]], [("a dog of very many words indeed, more than it reads",)])
    with pytest.raises(RowError, match="1"):
        model.detect([PHOTOS[0], b"no image"], [("dog",), ("dog",)])
    with pytest.raises(InputError, match="must hold"):
        detector(owls[1], template="a photo")
    with pytest.raises(InputError, match="does not load"):
        detector(tmp_path)
