"""Recipes of subjects and pictures run from rows to a dataset on fakes, at the cost their headers tell."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.row import COLUMNS, text_answers, text_messages
from rather.core.view import RunView

from ..filters.test_rich_feedback import map_of
from ..models.test_detectors import spots
from ..photos import photo, photo_folder
from ..tf_files import write_examples
from .faking import calls, faked, shipped

FAKES: dict[str, dict[str, Any]] = {
    "painter": {"use": "fake_painter"},
    "detector": {"use": "fake_detector"},
    "captioner": {"use": "fake_captioner"},
    **dict.fromkeys(("clip", "align", "dino"), {"use": "fake_image_text"}),
}
PICTURE = {"bytes": photo(3), "path": None}


def painted(name: str, source: Path, out: Path, *sets: str) -> RunView:
    """A shipped recipe on these rows, every model a fake."""
    return shipped(name, source, out, FAKES.__getitem__, *sets)


def benchmark(root: Path) -> Path:
    """Three subjects and two prompts."""
    photo_folder(root, subjects=3, each=2)
    prompts = ["a {} on the beach", "a {} in the snow"]
    lines = [
        json.dumps({"subject": f"subject_{k}", "class": "dog", "prompt": text.format("dog")})
        for k in range(3)
        for text in prompts
    ]
    (root / "prompts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return root


def test_dreambooth_dpo_pairs_gain_in_both_scores(tmp_path: Path) -> None:
    view = painted("dreambooth-dpo", benchmark(tmp_path / "photos"), tmp_path / "run")
    counts = {count.stage: count for count in view.funnel}
    prompts = counts["read.images"].rows_out
    assert prompts and calls(view) == 10 * prompts
    rows = view.frame("pair.angle").table().to_pylist()
    assert rows and len(rows) == counts["pair.angle"].rows_out
    for row in rows:
        assert 20 <= row["angle"] <= 70 and row["margin"] >= 0.5
        assert row["chosen_clip_t"] > row["rejected_clip_t"] and row["chosen_clip_i"] > row["rejected_clip_i"]
    assert max(Counter(row["parent_id"] for row in rows).values()) <= 4
    written = pq.read_table(tmp_path / "run/data/data")
    assert {"caption", "jpg_0", "jpg_1", "label_0", "angle"} <= set(written.column_names)
    assert written.num_rows == len(rows)


def test_rpo_draws_labels_and_keeps_their_chances(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", subjects=3, each=2)
    view = painted("rpo", photos, tmp_path / "run", "pair.bt_label.temperature=0.05")
    assert calls(view) == 16 * 6
    rows = view.frame("pair.bt_label").table().to_pylist()
    assert len(rows) == 16 * 6
    originals = {path.read_bytes() for path in photos.rglob("*.jpeg")}
    for row in rows:
        sides = [row[side]["image"]["bytes"] in originals for side in ("chosen", "rejected")]
        assert sum(sides) == 1, "a photo against a painting"
        assert row["margin"] == row["chosen_lambda_harmonic"] - row["rejected_lambda_harmonic"]
        assert (row["p_chosen"] > 0.5) == (row["margin"] > 0) or row["margin"] == 0
    assert 0 < sum(row["margin"] < 0 for row in rows) < len(rows) / 2, "some draws go against the rewards"
    again = painted("rpo", photos, tmp_path / "again", "pair.bt_label.temperature=0.05")
    assert [row["p_chosen"] for row in again.frame("pair.bt_label").table().to_pylist()] == [
        r["p_chosen"] for r in rows
    ]


@pytest.fixture
def subjects(tmp_path: Path) -> Path:
    """Prompts of two subjects that the fake detector tells by colour."""
    colours = [("red", "grey"), ("black", "white"), ("green", "purple"), ("blue", "yellow")]
    table = {
        "prompt": text_messages(pa.array([f"a {a} ball beside a {b} box" for a, b in colours])),
        "subjects": pa.array([[f"a {a} ball", f"a {b} box"] for a, b in colours]),
        "images": pa.array(
            [[{"bytes": spots((c, (0, 0, 64, 64))), "path": None} for c in pair] for pair in colours], COLUMNS["images"]
        ),
    }
    pq.write_table(pa.table(table), tmp_path / "subjects.parquet")
    return tmp_path / "subjects.parquet"


def test_psr_pairs_gain_in_subjects_and_prompt(tmp_path: Path, subjects: Path) -> None:
    view = painted(
        "psr", subjects, tmp_path / "run", "pair.angle.low=0", "pair.angle.high=90", "pair.angle.least_norm=0"
    )
    assert calls(view) == 6 * 4
    scores = view.frame("score.psr").table(["psr", "psr_outcome", "psr_missing"]).to_pylist()
    assert all(outcome == "ok" for row in scores for outcome in row["psr_outcome"])
    rows = view.frame("pair.angle").table().to_pylist()
    assert rows and all(
        r["chosen_psr"] >= r["rejected_psr"] and r["chosen_clip_t"] >= r["rejected_clip_t"] for r in rows
    )
    assert pq.read_table(tmp_path / "run/data/data").num_rows == len(rows)


def test_multi_subject_pairs_the_best_with_the_worst(tmp_path: Path, subjects: Path) -> None:
    view = painted("multi-subject", subjects, tmp_path / "run", "pair.extremes.least_gap=0")
    assert calls(view) == 6 * 4
    rows = view.frame("score.caption_back").table().to_pylist()
    assert rows and all(row["margin"] > 0 for row in rows)
    for row in rows:
        assert row["chosen_grounding_outcome"] == row["chosen_caption_back_outcome"] == "ok"
        assert row["chosen_multi_subject"] - row["rejected_multi_subject"] == row["margin"]
    assert pq.read_table(tmp_path / "run/data/data").num_rows == len(rows)


def test_rich_feedback_keeps_what_is_good_and_labelled(tmp_path: Path) -> None:
    """A RichHF-18K file with a folder of Pick-a-Pic's pictures: four scored, one of which is not there."""
    labels, scores = ["1 0 1", "1 1 1", "1 0", "1 1 1", "1 1 1"], [0.9, 0.2, 0.8, 0.7, 0.9]
    records: list[dict[str, Any]] = [
        {
            "filename": [f"train/{k}.png"], "overall_score": [scores[k]], "prompt_misalignment_label": [labels[k]],
            "artifact_map": [map_of((10, 10, 9 if k == 3 else 200))],
        }
        for k in range(5)
    ]  # fmt: skip
    (tmp_path / "pictures").mkdir()
    for k in range(4):
        (tmp_path / f"pictures/{k}.jpg").write_bytes(photo(k))
        (tmp_path / f"pictures/{k}.txt").write_text("a red hat", encoding="utf-8")
    source = Path(write_examples(tmp_path / "dev.tfrecord", records))
    view = painted("rich-feedback", source, tmp_path / "run", f"read.images={tmp_path / 'pictures'}")
    assert calls(view) == 0
    counts = {count.stage: count for count in view.funnel}
    assert counts["filter.rules"].dropped == {"unreadable": 1}
    assert counts["good"].dropped == {"below the band": 1} and counts["labelled"].dropped == {"no value": 1}
    rows = pq.read_table(tmp_path / "run/data/data").to_pylist()
    assert [row["tokens_missed"] for row in rows] == [["red"], []]
    assert rows[0]["chosen"]["image"]["bytes"] == photo(0) and rows[0]["tokens_prompt"] == "a hat"
    assert rows[0]["mask"]["bytes"] and rows[1]["mask_outcome"] == "nothing marked"


def questions(n: int) -> dict[str, Any]:
    return {
        "prompt": text_messages(pa.array([f"question {k}: what is seen?" for k in range(n)])),
        "images": pa.array([[PICTURE]] * n, COLUMNS["images"]),
    }


def test_llava_critic_counts_net_wins(tmp_path: Path) -> None:
    said = [f"answer number {k}" for k in range(5)]
    script = [
        ("# Answer A\nanswer number 0", "B"),
        ("# Answer B\nanswer number 0", "A"),
        ("# Answer A\nanswer number 3", "A"),
        ("# Answer A", "tie"),
        ("what is seen?", said),
    ]
    view = faked("llava-critic", questions(2), tmp_path, script, "seed=0")
    assert calls(view) == 2 * (5 + 20)
    rows = view.frame("pair.extremes").table().to_pylist()
    assert [row["rejected"]["text"] for row in rows] == [said[0]] * 2, "it loses eight matches of eight"
    assert [(row["chosen"]["text"], row["chosen_net_wins"], row["rejected_net_wins"]) for row in rows] == [
        (said[3], 5, -8)
    ] * 2
    written = pq.read_table(tmp_path / "run/data/data").to_pylist()
    assert len(written) == 2 and len(written[0]["images"]) == 1


def test_visco_measures_what_looking_again_finds(tmp_path: Path) -> None:
    columns = questions(2) | {
        "chosen": text_answers(pa.array(["1. There are three cups.\n2. So the answer is 3"] * 2)),
        "answer_correctness": pa.array([False, True]),
        "reasoning_correctness": pa.array([[False, True], [True, True]]),
        "reasoning_critic": pa.array([[["there are four"], []], [[], []]]),
    }
    ok = {"right": True, "why": ""}
    script = [
        (
            "write the short questions",
            json.dumps({"items": [{"number": 1, "questions": ["How many?"]}, {"number": 2, "questions": []}]}),
        ),
        (
            "You criticise",
            json.dumps(
                {
                    "items": [
                        {"number": 1, "right": False, "why": "Four."},
                        {"number": 2} | ok,
                        {"number": 3, "right": False, "why": "It is 4."},
                    ]
                }
            ),
        ),
        ("name the same error", "yes"),
        ("Look at the picture and say", "Four cups."),
        ("Work it out", "The answer is 4"),
    ]
    view = faked("visco", columns, tmp_path, script)
    assert calls(view) == 2 * 3 + 1 + 1, "the same question about the same picture is asked once"
    found = {line["measure"]: line["value"] for line in view.facts["diagnose.visco"]["measures"]}
    assert found["F1 of wrong results"] == pytest.approx(2 / 3, abs=1e-3)
    assert found["F1 of wrong steps"] == pytest.approx(2 / 3, abs=1e-3) and found["VISCore"] == pytest.approx(
        2 / 3, abs=1e-3
    )
    written = pq.read_table(tmp_path / "run/data/data").to_pylist()
    assert [row["labels"] for row in written] == [[False, True]] * 2 and len(written[0]["completions"]) == 2


def test_panel_of_peers_keeps_clear_cases(tmp_path: Path) -> None:
    columns = {name: values for name, values in questions(1).items()}
    script = [
        (["Score this quality", "very bad"], "1"),
        ("Score this quality", "5"),
        ("what is seen?", ["fine", "very bad", "well", "good", "nice"]),
    ]
    view = faked("panel-of-peers", columns, tmp_path, script, "seed=0")
    assert calls(view) == 15 + 5 * 3 * 5, "three peers with the same five answers, which are scored once, by all three"
    [row] = view.frame("filter.band").table().to_pylist()
    assert row["rejected"]["text"] == "very bad" and row["margin"] == 4 and row["chosen_panel_score"] == 5
