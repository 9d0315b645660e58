"""Stages that paint, on tiny diffusion pipelines read from folders: through the engine, as a recipe has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rather.core.view import RunView

from .. import tiny_adapters, tiny_pipelines
from ..pictures import mask, photo_rows, pixels
from ..runs import run_text
from .test_degrade_conditions import picture

pytest.importorskip("torch", reason="torch is not installed (rather[images])")
pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")
pytestmark = pytest.mark.full


def run(folder: Path, name: str, stage: str, options: dict[str, Any], **painters: dict[str, Any]) -> RunView:
    """Two rows through one stage; runs of one folder share a journal."""
    rows = photo_rows(folder / "rows.parquet", count=2, mask=[picture(mask(24, 48, 40))] * 2)
    usual = {"use": "diffusers", "steps": 2, "width": 32, "height": 32, "device": "cpu"}
    recipe = {
        "name": "x", "seed": 5, "models": {nick: usual | options for nick, options in painters.items()},
        "stages": [{"read.rows": {"path": str(rows)}}, {stage: options}],
    }  # fmt: skip
    return run_text(yaml.safe_dump(recipe), folder / "runs" / name)


def rows_of(view: RunView) -> list[dict[str, Any]]:
    assert view.funnel[-1].failed == 0, view.failed(view.funnel[-1].stage).to_pylist()
    rows: list[dict[str, Any]] = view.frame(view.funnel[-1].stage).table().to_pylist()
    return rows


def params(answer: dict[str, Any]) -> dict[str, Any]:
    return json.loads(answer["made_by"]["params"])


def test_checkpoints_and_loras_paint_the_same_seeds(tmp_path: Path) -> None:
    """Each tells what it is; alone and in batches of four the pictures are the same to a level."""
    early, late = (str(tiny_pipelines.stable_diffusion(tmp_path / f"sd{k}", seed=k)) for k in (0, 1))
    lora = tiny_adapters.lora(tmp_path)
    found = {}
    for batch in (1, 4):
        painters: dict[str, dict[str, Any]] = {
            "early": {"path": early, "checkpoint": 100}, "late": {"path": late, "checkpoint": 400},
            "tuned": {"path": early, "loras": [lora], "guidance": 3.0, "mix": [3.0, 1.5]},
        }  # fmt: skip
        options = {"painters": list(painters), "n": 2}
        painters = {nick: each | {"batch": batch} for nick, each in painters.items()}
        found[batch] = rows_of(run(tmp_path / str(batch), "one", "synth.paint", options, **painters))
    for row, other in zip(found[1], found[4], strict=True):
        assert [params(one).get("checkpoint_step") for one in row["candidates"]] == [100, 100, 400, 400, None, None]
        assert params(row["candidates"][4])["mix"] == [3.0, 1.5] and params(row["candidates"][4])["loras"] == [lora]
        seeds = [one["made_by"]["seed"] for one in row["candidates"]]
        assert seeds[:2] == seeds[2:4] == seeds[4:] and len(set(seeds)) == 2
        pictures = [pixels(one["image"]["bytes"]).astype(int) for one in row["candidates"]]
        assert len({each.tobytes() for each in pictures}) == 6
        for one, two in zip(pictures, other["candidates"], strict=True):
            assert abs(one - pixels(two["image"]["bytes"])).max() <= 1


@pytest.mark.parametrize("make", [tiny_pipelines.stable_diffusion, tiny_pipelines.stable_diffusion_3])
def test_a_contrast_of_guidance_says_how_it_was_guided(make: Any, tmp_path: Path) -> None:
    options = {"defects": "blurry", "nag": [5, 2.5, 0.25], "rejected": "unguided"}
    rows = rows_of(run(tmp_path, "one", "synth.paint_contrast", options, painter={"path": str(make(tmp_path / "p"))}))
    assert len(rows) == 2
    for row in rows:
        chosen, rejected = params(row["chosen"]), params(row["rejected"])
        assert chosen["nag"] == {"negative_prompt": "blurry", "scale": 5.0, "tau": 2.5, "alpha": 0.25}
        assert rejected["guidance"] == 1.0 and "nag" not in rejected and chosen["guidance"] > 1
        assert row["chosen"]["image"]["bytes"] != row["rejected"]["image"]["bytes"]


@pytest.mark.parametrize("make", [tiny_pipelines.stable_diffusion_inpaint, tiny_pipelines.flux])
def test_masks_are_painted_anew_once(make: Any, tmp_path: Path) -> None:
    path = str(make(tmp_path / "p"))
    views = [run(tmp_path, n, "synth.repaint", {"strength": 0.9}, painter={"path": path}) for n in ("one", "two")]
    assert [(view.funnel[-1].calls, view.funnel[-1].calls_reused) for view in views] == [(2, 0), (0, 2)]
    rows = rows_of(views[0])
    assert len(rows) == 2 and rows == rows_of(views[1])
    for row in rows:
        before, after = (pixels(row[side]["image"]["bytes"]) for side in ("rejected", "chosen"))
        assert (before[:, :24] == after[:, :24]).all() and (before[:, 24:] != after[:, 24:]).any()
        told = params(row["chosen"])
        assert told["mask_area"] == 0.5 and told["strength"] == 0.9 and (told["width"], told["height"]) == (32, 32)
        assert ("Inpaint" in told["pipeline"]) and row["rejected"]["made_by"] is None
