"""Captions against prompts, and key points of prompts judged one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import RowError
from rather.core.paid import Reply
from rather.core.row import ANSWER, COLUMNS, text_messages
from rather.filters.keypoints import GROUPS, POINTS, grouped_mean
from rather.filters.score_caption_back import CaptionBack
from rather.filters.score_keypoints import Keypoints
from rather.models.fake_captioner import FakeCaptioner
from rather.models.fakes import FakeTextEncoder

from ..judges import FakeContext, between, judged, text_of
from ..models.test_detectors import spots
from ..photos import photo

RED = spots(("red", (0, 0, 64, 64)))
BOTH = spots(("red", (0, 0, 64, 40)))
BROKEN = photo(1)[:300]


def shown(*rows: tuple[str | None, bytes | None], **more: Any) -> pa.Table:
    """Prompt and chosen picture a row."""
    answers = [{"image": {"bytes": data, "path": None} if data else None, "text": None} for _, data in rows]
    prompts = text_messages(pa.array([prompt for prompt, _ in rows], pa.string()))
    return pa.table({"prompt": prompts, "chosen": pa.array(answers, ANSWER)} | more)


def test_captions_are_compared_with_prompts() -> None:
    words = FakeTextEncoder()
    batch = shown(("a picture of [V] red", RED), ("blue", BOTH), (None, RED), ("x", None), ("x", BROKEN), (" ", RED))
    found = CaptionBack(of="chosen").score(batch, FakeContext({"blip_caption": FakeCaptioner(), "static": words}))
    told = {name.removeprefix("chosen_caption_back"): column.to_pylist() for name, column in found.items()}
    assert told["_caption"] == [
        "a picture of red",
        "a picture of red and grey",
        "a picture of red",
        None,
        None,
        "a picture of red",
    ]
    assert told["_outcome"] == ["ok", "ok", "no prompt", "no image", "unreadable", "no words"]
    a, b = words.encode(["a picture of red and grey", "blue"]).astype(float)
    assert told[""][:2] == pytest.approx([1, float(a @ b)], abs=1e-6) and told[""][2:] == [None] * 4


def test_blip_writes_the_same_alone_and_in_company(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from rather.models.captioners import BlipCaptionSpec
    from transformers import AutoTokenizer, BlipForConditionalGeneration

    from ..tiny_detectors import captioner_folder

    captioner_folder(tmp_path)
    model = BlipCaptionSpec(name=str(tmp_path), device="cpu", max_tokens=6, group=2).load()
    photos = [photo(k) for k in range(5)]
    together = model.caption([*photos, photos[0]])
    assert together == [model.caption([one])[0] for one in [*photos, photos[0]]] and len({*together}) > 1
    network, words = (
        BlipForConditionalGeneration.from_pretrained(tmp_path).eval(),
        AutoTokenizer.from_pretrained(tmp_path),
    )
    pixels = model._passes.pixels(photos[1], 0)[None]
    with torch.inference_mode():
        [ids] = network.generate(pixel_values=pixels, max_new_tokens=6, num_beams=1, do_sample=False)
    assert together[1] == words.decode(ids, skip_special_tokens=True).strip()
    with pytest.raises(RowError, match="1"):
        model.caption([photos[0], b"no image"])


def test_there_are_24_points_in_6_groups() -> None:
    assert len(POINTS) == 24 and [len(points) for points in GROUPS.values()] == [3, 5, 6, 6, 2, 2]
    assert grouped_mean({"counting": True, "size": False, "negation": True}) == (0.5 + 1) / 2
    assert grouped_mean({"counting": False}) == 0


def judge(text: str) -> str:
    if "Kinds of requirement" in text:
        prompt = between(text, "# Prompt for a picture", "# Kinds")
        return {
            "three dogs": json.dumps({"points": ["counting", "animal action", "counting"]}),
            "bare": '{"points": []}', "odd": "no json",
        }[prompt]  # fmt: skip
    return "no" if "counting:" in text else "perhaps" if "size:" in text else "yes"


def test_each_point_a_prompt_touches_on_is_asked_about_once() -> None:
    batch = shown(("three dogs", RED), ("bare", RED), ("odd", RED), ("three dogs", None), (None, RED))
    found, asked = judged(Keypoints(of="chosen"), batch, judge)
    assert found["chosen_keypoints"] == [0.5, None, None, None, None]
    assert found["chosen_keypoints_unmet"][0] == ["counting"] and found["chosen_keypoints_unmet"][1] is None
    outcomes = ["ok", "no key points", "unparsable", None, "no prompt"]
    assert found["chosen_keypoints_outcome"] == outcomes
    tags = [r for r in asked.requests if "Kinds of requirement" in text_of(r)]
    checks = [r for r in asked.requests if r not in tags]
    assert len(tags) == 3 + 1, "one is asked for again"
    assert len(checks) == 2 and all(r["messages"][-1]["content"][0]["type"] == "image" for r in checks)
    assert all(isinstance(r["messages"][-1]["content"], str) for r in tags), "prompts are read without the picture"


def test_points_of_a_column_cost_no_question() -> None:
    points = pa.array([["counting", "Negation "], ["size", "negation"], ["flavour"], None])
    found, asked = judged(Keypoints(of="chosen", points="p"), shown(*[("x", RED)] * 4, p=points), judge)
    assert found["chosen_keypoints"] == [0.5, None, None, None]
    assert found["chosen_keypoints_outcome"] == ["ok", "unparsable", "unknown key point", "no key points"]
    assert Keypoints(of="chosen").calls_a_row() == 25 and Keypoints(of="chosen", points="p").calls_a_row() == 24
    assert len(asked.requests) == 4 + 1


def test_candidates_have_lists() -> None:
    answers = [[{"image": {"bytes": RED, "path": None}, "text": None}, {"image": None, "text": "t"}]]
    batch = pa.table({
        "prompt": text_messages(pa.array(["three dogs"])), "candidates": pa.array(answers, COLUMNS["candidates"])
    })  # fmt: skip
    found, _ = judged(Keypoints(of="candidates"), batch, lambda text: Reply(judge(text)))
    assert found["keypoints"] == [[0.5, None]] and found["keypoints_outcome"] == [["ok", "no image"]]
    assert np.isclose(found["keypoints"][0][0], 0.5)
