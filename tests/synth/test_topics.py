"""The parts of topic overwriting that ask nobody: windows, maps, correlations, edits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np
import pytest
from PIL import Image
from rather.models.encoders_text import StaticText
from rather.models.pictures import picture_part
from rather.synth.overwrite_topics import OverwriteTopics
from rather.synth.topics_claims import Claim
from rather.synth.topics_edits import Edit, planned
from rather.synth.topics_grouping import correlations
from rather.synth.topics_relevance import relevance_maps, scaled, windows

from .scripted import ran
from .test_overwrite_topics import FIRST, SECOND, row, script


@final
class ByColour:
    """An image-text encoder of two dimensions: how red and how blue a picture is, and which of both a text names."""

    name: ClassVar[str] = "by_colour"
    dim: ClassVar[int] = 2
    persist: ClassVar[bool] = False
    scale: ClassVar[float] = 100.0

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        means = [np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).mean(axis=(0, 1)) for image in images]
        return np.array([[m[0], m[2]] for m in means], np.float32) / 255

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        known = {"red": (1.0, 0.0), "blue": (0.0, 1.0), "long": (np.nan, np.nan)}
        return np.array([known[text.split()[0]] for text in texts], np.float32)


def half_and_half() -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32, 0], pixels[:, 32:, 2] = 255, 255
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_windows_by_hand() -> None:
    """Side ½ and stride ⅛: five places each way; the last ends at the border."""
    found = windows(64, 32, 0.5, 0.125)
    assert len(found) == 25 and found[0] == (0, 0, 32, 16) and found[1] == (8, 0, 40, 16)
    assert found[5] == (0, 4, 32, 20) and found[-1] == (32, 16, 64, 32)
    assert windows(1, 1, 0.5, 0.125)[0] == (0, 0, 1, 1)
    assert all(left < right and top < bottom for left, top, right, bottom in windows(3, 2, 0.5, 0.125))


def test_a_map_is_high_where_the_text_is_seen() -> None:
    part = picture_part({"bytes": half_and_half(), "path": None})
    maps = relevance_maps(ByColour(), [part], ["red things", "blue things", "red stuff", "long text"])
    assert maps.shape == (4, 25)
    assert maps[0].reshape(5, 5)[0] == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert maps[1] == pytest.approx(1 - maps[0]) and np.isnan(maps[3]).all()
    both = correlations(maps)
    assert both[0, 2] == pytest.approx(1) and both[0, 1] == pytest.approx(-1)
    assert (both[3] == -1).all(), "a text that cannot be read looks nowhere"
    twice = relevance_maps(ByColour(), [part, part], ["red things"])
    assert twice.shape == (1, 50)


def test_constant_maps_correlate_with_nothing() -> None:
    assert scaled(np.full((1, 3), 0.2)).tolist() == [[0.0, 0.0, 0.0]]
    assert correlations(np.array([[0.0, 0, 0], [0, 1, 0]]))[0, 1] == -1
    r = correlations(np.array([[1.0, 2, 3], [1, 2, 4]]))[0, 1]
    assert r == pytest.approx(np.corrcoef([1, 2, 3], [1, 2, 4])[0, 1])


@final
class Constant:
    """An image-text encoder for which everything looks everywhere, hence nowhere."""

    name: ClassVar[str] = "constant"
    dim: ClassVar[int] = 1
    persist: ClassVar[bool] = False
    scale: ClassVar[float] = 1.0

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        return np.ones((len(images), 1), np.float32)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 1), np.float32)


def test_maps_are_a_condition_only_where_an_encoder_is_named_and_a_picture_is_there() -> None:
    models: dict[str, Any] = {"static": StaticText(), "clip": Constant()}
    seen = row(FIRST, SECOND, images=[{"bytes": half_and_half(), "path": None}])
    [made], model = ran(OverwriteTopics(), seen, script(), **models)
    assert made["overwrite_fallback"] is None
    assert any("'type': 'image'" in text for text in model.asked), "labels and open questions see the picture"
    assert not any("'type': 'image'" in text for text in model.asked if "# Edits" in text or "# Text" in text)
    [made], model = ran(OverwriteTopics(relevance="clip"), seen, script(), **models)
    assert made["overwrite_fallback"] == "no answer qualifies"
    assert not any("same property" in text for text in model.asked)
    [made], _ = ran(OverwriteTopics(relevance="clip"), row(FIRST, SECOND), script(), **models)
    assert made["overwrite_fallback"] is None


def claim(answer: int, text: str, p: float, source: int | None = None) -> Claim:
    return Claim(answer, text, p_yes=p, p_no=1 - p, source=source)


def test_the_base_has_fewest_upward_then_most_downward_edits() -> None:
    """Two topics, three answers: 0 has one of each, 1 two downward, 2 one downward and nothing else."""
    claims = [claim(0, "a", 0.9), claim(0, "b", 0.1), claim(1, "c", 0.8), claim(1, "d", 0.7), claim(2, "e", 0.6)]
    claims += [claim(2, "f", 0.2, source=4)]
    topics = [0, 1, 0, 1, 0, 0]
    found = planned(claims, topics, "max_all_claim", 1, "best")
    assert found is not None and found.base == 1
    assert found.down == (Edit(2, 5), Edit(3, 1)) and found.up == ()
    assert planned(claims, topics, "max_all_claim", 3, "best") is None
    upward = planned(claims[:4], [0, 1, 1, 1], "max_all_claim", 1, "best")
    assert upward is not None and (upward.base, upward.up, len(upward.down)) == (1, (), 2)


def test_a_claim_is_never_overwritten_by_its_own_words() -> None:
    claims = [claim(0, "It is so.", 0.9), claim(1, "it is  SO", 0.1)]
    assert planned(claims, [0, 0], "max_all_claim", 1, "best") is None


def test_equal_chances_are_not_true() -> None:
    assert not claim(0, "x", 0.5).true and replace(claim(0, "x", 0.5), p_yes=0.51).true
