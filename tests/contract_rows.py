"""Rows on which every stage can be tried: all the columns stages agree on, some values empty, odd or missing."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import pyarrow as pa
from rather.core.row import COLUMNS, arrow_vectors, text_answers, text_messages

ROWS: Final = 60
WORDS: Final = (
    "green", "seven", "Ωmega", "", "river 42", "not", "I'm sorry, I can't help", "line\nline", "🙂", "long " * 90,
)  # fmt: skip
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "filter.ambiguous": {"votes": "quality"},
    "select.pareto": {"by": ["margin", "similarity"]},
    "score.pool_z": {"scores": ["quality"]},
    "synth.describe_bins": {"features": {"margin": ["low", "middle", "high"]}},
}
"""Options that a stage cannot be given by their type alone."""


def fake_rows() -> pa.Table:
    """A table [ROWS]: texts, pictures, vectors, and what judges, critics and measures leave."""
    rng = np.random.default_rng(5)
    texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(ROWS)]
    others = [" ".join(rng.choice(WORDS, 3)) if k % 11 else None for k in range(ROWS)]
    prompts = [f"Tell of {WORDS[k % 7]} and {k % 23}" for k in range(ROWS)]
    pictures = [{"bytes": _picture(k), "path": None} for k in range(7)]
    shown = [pictures[k % 7] if k % 5 else None for k in range(ROWS)]
    candidates = [[{"text": t, "image": shown[k]} for t in (texts[k], "yes", prompts[k])] for k in range(ROWS)]
    columns: dict[str, pa.Array] = {
        "prompt": text_messages(pa.array(prompts)),
        "images": pa.array([[pictures[k % 6]] if k % 9 else [] for k in range(ROWS)], COLUMNS["images"]),
        "chosen": pa.array([{"text": t, "image": shown[k]} for k, t in enumerate(texts)], COLUMNS["chosen"]),
        "rejected": text_answers(pa.array(others)),
        "candidates": pa.array(candidates, COLUMNS["candidates"]),
        "verdict": pa.array(["tie" if k % 13 == 0 else "prefer" for k in range(ROWS)]),
        "source": pa.array([("web", "lab", "forum")[k % 3] for k in range(ROWS)]),
    }
    return pa.table({**columns, **_measured(rng, texts, others), **_criticised(rng, texts), **_told(texts)})


def _measured(rng: np.random.Generator, texts: list[str], others: list[str | None]) -> dict[str, pa.Array]:
    """Vectors and numbers."""
    vectors = rng.normal(size=(4, ROWS, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    named = ("prompt_vector", "chosen_vector", "rejected_vector", "chosen_image_vector")
    found = {name: arrow_vectors(each) for name, each in zip(named, vectors, strict=True)}
    normal = ("margin", "peer_margin_a", "peer_margin_b", "rating_margin", "rejected_margin_high", "chosen_margin_low")
    found |= {name: pa.array(rng.normal(size=ROWS)) for name in normal}
    uniform = ("p_label", "judge_p", "similarity", "steps_share", "chosen_class", "blind_p", "chosen_ref_logp_mean")
    found |= {name: pa.array(rng.random(ROWS)) for name in (*uniform, "rejected_ref_logp_mean")}
    found |= {name: pa.array(rng.random((ROWS, 3)).tolist()) for name in ("quality", "clip_t", "clip_i")}
    for side, of in (("chosen", texts), ("rejected", others)):
        found[f"{side}_words"] = pa.array([len((t or "").split()) for t in of], pa.int32())
        found[f"{side}_chars"] = pa.array([len(t or "") for t in of], pa.int32())
        found[f"{side}_panel_score_by_judge"] = pa.array(rng.integers(1, 9, (ROWS, 3)).astype(float).tolist())
        found[f"{side}_h2"] = pa.array(rng.integers(1, 10, ROWS).astype(float))
        found[f"{side}_h2_honest"] = pa.array(rng.random(ROWS) < 0.6)
    return found | {
        "flip_suspect": pa.array(rng.random(ROWS) < 0.2),
        "keep_votes": pa.array(rng.integers(0, 7, ROWS).astype(np.int32)),
        "reaction": pa.array(rng.random(ROWS) < 0.3),
        "passed": pa.array(rng.random(ROWS) < 0.5),
    }


def _criticised(rng: np.random.Generator, texts: list[str]) -> dict[str, pa.Array]:
    """Critiques, rubrics, steps, and what was made of them."""
    verdicts = ("right", "wrong")
    critiques = [
        {"text": f"not so {t[:20]}", "critic": "c", "score": float(k % 5), "verdict": verdicts[k % 2]}
        for k, t in enumerate(texts)
    ]
    rule = {"id": "r1", "criterion": "be short", "weight": 2.0, "kind": "hard_rule"}
    steps = [[{"text": "first", "label": k % 2 == 0}, {"text": "then", "label": True}] for k in range(ROWS)]
    found = {
        "critique": pa.array(critiques, COLUMNS["critique"]),
        "rubric": pa.array([[rule] if k % 8 else [] for k in range(ROWS)], COLUMNS["rubric"]),
        "steps": pa.array(steps, COLUMNS["steps"]),
        "steps_productive": pa.array([[1.0, 0.0] for _ in range(ROWS)]),
        "critique_verdict": pa.array([("right", "wrong", None)[k % 3] for k in range(ROWS)]),
        "consistency": pa.array([("pass", "fail")[k % 2] for k in range(ROWS)]),
        "response_right": pa.array(rng.random(ROWS) < 0.5),
        "noise_score": pa.array(rng.random(ROWS)),
    }
    for side in ("chosen", "rejected"):
        found |= {f"{side}_{name}": pa.array(rng.random(ROWS)) for name in ("usefulness", "critique_reward")}
        found[f"{side}_usefulness_refined"] = pa.array(rng.random(ROWS))
        found[f"{side}_usefulness_leaks"] = pa.array(rng.random(ROWS) < 0.1)
    return found


def _told(texts: list[str]) -> dict[str, pa.Array]:
    """Further texts and names."""
    return {
        "question": pa.array([f"what of {t[:10]}?" for t in texts]),
        "response": pa.array(texts),
        "reference": pa.array([f"{k % 4}" for k in range(ROWS)]),
        "chosen_class_rank": pa.array([k % 4 for k in range(ROWS)], pa.int32()),
        "class_name": pa.array([("cat", "dog")[k % 2] for k in range(ROWS)]),
        "subject": pa.array([("tom", "rex")[k % 2] for k in range(ROWS)]),
        "dimension": pa.array([("safety", "style")[k % 2] for k in range(ROWS)]),
        "augmentation": pa.array([None if k % 3 else "causal" for k in range(ROWS)], pa.string()),
        "origin_hash": pa.array([k // 3 for k in range(ROWS)], pa.uint64()),
    }


def _picture(k: int) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(k).integers(0, 255, (24, 32, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
