"""Recipes that paint run from rows to a dataset on fake painters, and pay for nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rather.core.hashing import digest
from rather.core.view import RunView

from ..filters.test_rich_feedback import map_of
from ..photos import photo_folder
from ..pictures import photo_rows, pixels, png
from .faking import shipped


def faked(
    name: str, source: Path, out: Path, *sets: str, limit: int | None = None, **models: dict[str, Any]
) -> RunView:
    """A shipped recipe on these rows, its models fake painters but for those given."""
    fakes = lambda nick: models.get(nick, {"use": "fake_painter", "name": nick})  # noqa: E731
    return shipped(name, source, out, fakes, *sets, limit=limit)


def calls(view: RunView) -> tuple[int, int]:
    """Calls made and reused; nothing failed."""
    assert all(count.failed == 0 for count in view.funnel)
    return sum(count.calls for count in view.funnel), sum(count.calls_reused for count in view.funnel)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("photos") / "photos", subjects=3, each=2)


OPEN = ("filter.band.low=-1", "filter.band.high=1")


def test_cdns_writes_quadruplets_and_paints_once(tmp_path: Path, photos: Path) -> None:
    view = faked("cdns", photos, tmp_path / "one", *OPEN)
    assert calls(view) == (6, 0), "one painting a row"
    table = pq.read_table(tmp_path / "one/data/data")
    assert {"reference", "prompt", "target", "negative", "degrade_visual", "degrade_text"} <= set(table.column_names)
    assert table.num_rows == 6
    for row in table.to_pylist():
        originals = {path.read_bytes() for path in photos.rglob("*.jpeg")}
        assert row["reference"]["bytes"] in originals and row["target"]["bytes"] in originals
        assert row["negative"]["bytes"] not in originals
        told = json.loads(row["degrade_params"])
        assert told["visual"] == "blur" and told["prompt"].startswith("a photo of subject")
        assert -1 <= row["rejected_dino"] <= 1 and row["chosen_dino"] is not None
    again = faked("cdns", photos, tmp_path / "two", *OPEN)
    assert calls(again) == (0, 6)
    assert pq.read_table(tmp_path / "two/data/data").equals(table)


@pytest.mark.full
def test_cdns_on_a_diffusion_pipeline(tmp_path: Path, photos: Path) -> None:
    """The recipe with its painter's place taken by another of its kind: a folder of weights and an IP-Adapter."""
    pytest.importorskip("torch", reason="torch is not installed (rather[images])")
    pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")
    from .. import tiny_adapters, tiny_pipelines

    painter: dict[str, Any] = {"use": "diffusers", "path": str(tiny_pipelines.stable_diffusion(tmp_path / "sd"))}
    painter |= {"ip_adapter": tiny_adapters.ip_adapter(tmp_path), "steps": 2, "width": 32, "height": 32}
    runs = {name: tmp_path / place / name for name, place in (("one", "a"), ("two", "a"), ("three", "b"))}
    views = {name: faked("cdns", photos, out, *OPEN, painter=painter) for name, out in runs.items()}
    assert [calls(view) for view in views.values()] == [(6, 0), (0, 6), (6, 0)], "what is kept is not painted again"
    tables = [pq.read_table(out / "data/data") for out in runs.values()]
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2]), "painted anew: the same pixels of a seed"
    originals = {path.read_bytes() for path in photos.rglob("*.jpeg")}
    rows = views["one"].frame("synth.degrade_conditions").table().to_pylist()
    assert len(rows) == 6
    for row in rows:
        told = json.loads(row["rejected"]["made_by"]["params"])
        assert all(image["bytes"] in originals for image in row["images"]), "the row keeps its own conditions"
        assert row["prompt"][0]["content"] != told["prompt"] == f"a photo of {row['class_name']}"
        assert told["visual"] == "blur" and told["use_image"] == "reference" and told["ip_scale"] == 0.6
        assert told["reference_digest"] not in {digest(image) for image in originals}


def test_a_band_keeps_what_is_neither_too_near_nor_too_far(tmp_path: Path, photos: Path) -> None:
    wide = faked("cdns", photos, tmp_path / "one", *OPEN)
    found = sorted(wide.frame("score.dino").table(["rejected_dino"])["rejected_dino"].to_pylist())
    narrow = (f"filter.band.low={found[1]}", f"filter.band.high={found[-2]}")
    kept = faked("cdns", photos, tmp_path / "two", *narrow)
    count = next(c for c in kept.funnel if c.stage == "filter.band")
    assert count.rows_in == 6 and count.rows_out == 4 and sorted(count.dropped.values()) == [1, 1]
    assert calls(kept) == (0, 6), "another band wakes no painter"


def test_cdns_on_a_benchmark_of_prompts(tmp_path: Path, data: Path) -> None:
    """DreamBench's prompts and photos: both sides painted, and what is degraded is less like the photos."""
    sets = ["read.rows=prompts", "synth.target=paint", 'synth.visual=["blur", "noise"]', *OPEN]
    view = faked("cdns", data / "images" / "dreambooth_subset", tmp_path / "run", *sets, limit=8)
    assert calls(view) == (24, 0)
    rows = pq.read_table(tmp_path / "run/data/data").to_pylist()
    assert len(rows) == 16 and {row["prompt"] for row in rows} >= {"a dog in the jungle", "a dog in the snow"}
    for row in rows:
        told = json.loads(row["degrade_params"])
        assert told["prompt"] == "a photo of dog" != row["prompt"]
        assert row["target"]["bytes"] != row["negative"]["bytes"]
    for visual in ("blur", "noise"):
        gaps = [row["chosen_dino"] - row["rejected_dino"] for row in rows if row["degrade_visual"] == visual]
        assert len(gaps) == 8 and sum(gaps) / 8 > 0.05, "less like the photos, if not in every one of few rows"


def test_lee_t2i_pairs_good_with_bad_and_logs_wrong_prompts(tmp_path: Path) -> None:
    objects = tmp_path / "objects.jsonl"
    objects.write_text("\n".join(json.dumps({"object": name}) for name in ("dog", "wolf")), encoding="utf-8")
    view = faked("lee-t2i", objects, tmp_path / "run", judge={"use": "fake_chat"})
    counts = {count.stage: count for count in view.funnel}
    assert counts["synth.prompt_grid"].rows_out == 16 and calls(view)[0] == 16 * (4 + 4)
    assert 0 < counts["pair.extremes"].rows_out <= 16
    table = pq.read_table(tmp_path / "run/data/data")
    assert {"caption", "jpg_0", "jpg_1", "label_0", "slots", "prompts_neg"} <= set(table.column_names)
    for row in table.to_pylist():
        assert row["jpg_0"] != row["jpg_1"] and len(row["prompts_neg"]) == 3
        assert all(entry["prompt"] != row["caption"] for entry in row["prompts_neg"])


def test_uso_triplets_are_kept_by_content_and_style(tmp_path: Path, photos: Path) -> None:
    opened = [f"{stage}.{end}" for stage in ("same_content", "in_style", "no_leak") for end in ("low=-1", "high=1")]
    view = faked("uso-triplets", photos, tmp_path / "one", *opened)
    assert calls(view) == (12, 0), "two paintings a triplet"
    table = pq.read_table(tmp_path / "one/data/data")
    assert {"content_image", "style_image", "stylised_image", "style"} <= set(table.column_names)
    assert table.num_rows == 6
    named = view.frame("score.style").table(["chosen_style_by"])["chosen_style_by"].to_pylist()
    assert all(name.startswith("fallback: ") for name in named)
    shut = faked("uso-triplets", photos, tmp_path / "two", "same_content.low=0.96999")
    assert {count.stage: count for count in shut.funnel}["same_content"].dropped == {"below the band": 6}


def test_prompt_enhancer_prefers_the_rewrite_that_paints_the_original(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("\n".join(json.dumps({"prompt": f"{k} red dogs"}) for k in range(2, 10)), encoding="utf-8")
    models = {"writer": {"use": "fake_chat", "mode": "echo"}, "clip": {"use": "fake_image_text"}}
    view = faked("prompt-enhancer", prompts, tmp_path / "run", **models)
    counts = {count.stage: count for count in view.funnel}
    assert calls(view)[0] == 8 * (4 + 4), "four rewrites a prompt, each painted once"
    assert counts["pair.extremes"].rows_out == 8
    for row in view.frame("pair.extremes").table(["chosen", "rejected", "margin"]).to_pylist():
        assert row["chosen"]["text"] != row["rejected"]["text"] and row["margin"] > 0
    written = pq.read_table(tmp_path / "run/data/data")
    assert {"prompt", "chosen", "rejected"} <= set(written.column_names) and written.num_rows == 8


def test_richhf_inpaint_mends_what_a_map_marks(tmp_path: Path) -> None:
    """Of 14 pictures one has no map and one a dark one; the rest are painted anew, and those that gain are kept."""
    marked = [map_of((5 + 3 * k, 8 * k, 200)) for k in range(12)]
    maps = [None, *({"bytes": one, "path": None} for one in (map_of(), *marked))]
    shown = [{"bytes": png(k), "path": None} for k in range(14)]
    rows = photo_rows(tmp_path / "rows.parquet", count=14, artifact_map=maps, image=shown)
    view = faked("richhf-inpaint", rows, tmp_path / "run", reward={"use": "fake_image_reward"})
    counts = {count.stage: count for count in view.funnel}
    assert calls(view) == (12, 0) and counts["synth.repaint"].dropped == {"no mask": 2}
    for row in view.frame("synth.repaint").table().to_pylist():
        before, after = (pixels(row[side]["image"]["bytes"]) for side in ("rejected", "chosen"))
        area = json.loads(row["chosen"]["made_by"]["params"])["mask_area"]
        assert 0 < (before != after).any(axis=2).mean() <= area < 0.01
    written = pq.read_table(tmp_path / "run/data/data")
    assert {"caption", "jpg_0", "jpg_1", "label_0", "mask_area"} <= set(written.column_names)
    assert 0 < written.num_rows == counts["filter.margin"].rows_out < 12
    for row in written.to_pylist():
        assert row["chosen_preference"] > row["rejected_preference"]
