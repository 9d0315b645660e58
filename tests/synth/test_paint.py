"""Candidates and contrast pairs on fake painters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rather.core.errors import RecipeError
from rather.core.stage import Drop
from rather.synth.paint import Paint
from rather.synth.paint_candidates import PaintCandidates
from rather.synth.paint_contrast import PaintContrast

from ..pictures import photo_rows, png
from ..runs import run_text
from .scripted import ran, row_of
from .test_degrade_conditions import Atelier, picture

ROW = row_of("a red dog", images=[picture(png(0))])


def painted(stage: Any, row: dict[str, Any] = ROW, **painters: Atelier) -> Any:
    return ran(stage, row, (), **(painters or {"painter": Atelier()}))[0]


def params(answer: dict[str, Any]) -> dict[str, Any]:
    return json.loads(answer["made_by"]["params"])


def test_every_painter_paints_every_seed() -> None:
    early, late = Atelier(name="early", checkpoint=100), Atelier(name="late", checkpoint=400)
    stage = Paint(painters=("early", "late"), n=3)
    [row] = painted(stage, early=early, late=late)
    candidates = row["candidates"]
    assert len(candidates) == 6 == stage.calls_a_row() and row["unpainted"] == []
    assert [params(c)["checkpoint_step"] for c in candidates] == [100] * 3 + [400] * 3
    seeds = [c["made_by"]["seed"] for c in candidates]
    assert seeds[:3] == seeds[3:] and len(set(seeds)) == 3
    assert len({c["image"]["bytes"] for c in candidates}) == 6
    assert all(c["made_by"]["stage"] == "synth.paint" and c["text"] is None for c in candidates)
    [apart] = painted(Paint(painters=("early", "late"), n=3, same_seeds=False), early=early, late=late)
    assert len({c["made_by"]["seed"] for c in apart["candidates"]}) == 6


def test_seeds_can_be_given() -> None:
    [row] = painted(Paint(seeds=(4, 9)))
    assert [c["made_by"]["seed"] for c in row["candidates"]] == [4, 9]


def test_the_reference_and_what_to_stay_away_from_reach_the_painter() -> None:
    atelier = Atelier()
    painted(Paint(n=1, use_image="reference", negative_prompt="blur"), painter=atelier)
    painted(Paint(n=1, use_image="start", strength=0.4), painter=atelier)
    painted(Paint(n=1, negative_prompt="blur", nag=(5, 2.5, 0.25)), painter=atelier)
    first, second, third = atelier.requests
    assert "reference" in first and first["negative_prompt"] == "blur" and "image" not in first
    assert "image" in second and second["strength"] == 0.4
    assert third["nag"] == {"negative_prompt": "blur", "scale": 5.0, "tau": 2.5, "alpha": 0.25}
    assert "negative_prompt" not in third and "reference" not in third


def test_refused_paintings_are_counted_and_are_no_candidates() -> None:
    found = painted(Paint(n=16), painter=Atelier(refused=0.5))
    assert 0 < len(found[0]["unpainted"]) < 16 and set(found[0]["unpainted"]) == {"refusal"}
    assert len(found[0]["candidates"]) + len(found[0]["unpainted"]) == 16
    none = painted(Paint(n=2), painter=Atelier(refused=1.0))
    assert isinstance(none, Drop) and none.reason == "paint: refusal"


def test_contrast_pairs_share_a_seed() -> None:
    atelier = Atelier()
    [row] = painted(PaintContrast(defects="blurry, low quality"), painter=atelier)
    good, bad = atelier.requests
    assert good["seed"] == bad["seed"] and good["negative_prompt"] == "blurry, low quality"
    assert bad["prompt"] == "a red dog, blurry, low quality" and "negative_prompt" not in bad
    assert row["rejected"]["made_by"]["method"] == "defects" and row["verdict"] == "prefer"
    assert row["chosen"]["image"]["bytes"] != row["rejected"]["image"]["bytes"]
    painted(PaintContrast(rejected="unguided", nag=(5, 2.5, 0.25)), painter=atelier)
    good, bad = atelier.requests[2:]
    assert good["nag"]["scale"] == 5.0 and bad["guidance"] == 1.0 and bad["prompt"] == good["prompt"] == "a red dog"


def test_what_candidates_say_is_painted_with_one_seed() -> None:
    atelier = Atelier()
    origin = {"stage": "synth.rewrite_prompt", "method": "rewrite", "params": "{}", "model": "w", "seed": 8}
    said = [
        {"text": "Two red dogs.", "made_by": origin},
        {"text": " ", "made_by": None},
        {"text": "Dogs.", "made_by": None},
    ]
    [row] = painted(PaintCandidates(), row_of("two dogs", candidates=said), painter=atelier)
    assert [request["prompt"] for request in atelier.requests] == ["Two red dogs.", "Dogs."]
    assert len({request["seed"] for request in atelier.requests}) == 1
    first, second = row["candidates"]
    assert first["text"] == "Two red dogs." and first["image"]["bytes"] != second["image"]["bytes"]
    assert params(first)["text_by"] == {"stage": "synth.rewrite_prompt", "method": "rewrite", "model": "w", "seed": 8}
    assert params(second)["text_by"] == {} and first["made_by"]["stage"] == "synth.paint_candidates"
    refused = painted(PaintCandidates(), row_of("x", candidates=said), painter=Atelier(refused=1.0))
    assert isinstance(refused, Drop) and refused.reason == "paint: refusal"
    nothing = painted(PaintCandidates(), row_of("x", candidates=said[1:2]))
    assert isinstance(nothing, Drop) and nothing.reason == "no text to paint"


def test_candidates_end_in_pairs(tmp_path: Path) -> None:
    """Through the engine: painted, scored by a list column, paired."""
    rows = photo_rows(tmp_path / "rows.parquet", quality=[[0.1, 0.9, 0.4]] * 4)
    recipe = {
        "name": "paint", "seed": 5, "models": {"painter": {"use": "fake_painter"}},
        "stages": [
            {"read.rows": {"path": str(rows)}}, {"synth.paint": {"n": 3}}, {"pair.extremes": {"score": "quality"}}
        ],
    }  # fmt: skip
    view = run_text(yaml.safe_dump(recipe), tmp_path / "run")
    candidates = view.frame("synth.paint").table(["candidates"])["candidates"].to_pylist()
    pairs = view.frame("pair.extremes").table(["chosen", "rejected"]).to_pylist()
    assert [pair["chosen"] for pair in pairs] == [row[1] for row in candidates]
    assert [pair["rejected"] for pair in pairs] == [row[0] for row in candidates]


def test_faults(tmp_path: Path) -> None:
    rows = photo_rows(tmp_path / "rows.parquet")
    for options, said in (
        ({"nag": [5, 2.5, 0.25]}, "negative_prompt"),
        ({"strength": 0.5}, "use_image: start"),
        ({"seeds": [1, 1]}, "equal"),
        ({"painters": []}, "painters"),
    ):
        stages = [{"read.rows": {"path": str(rows)}}, {"synth.paint": {"painters": "fake_painter"} | options}]
        with pytest.raises(RecipeError, match=said):
            run_text(yaml.safe_dump({"name": "x", "stages": stages}), tmp_path / "run")
