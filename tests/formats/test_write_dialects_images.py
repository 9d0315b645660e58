"""Dialects of datasets with images, on rows small enough to be written out in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.core.row import ANSWER, COLUMNS, MESSAGES
from rather.formats.dialects import dialect
from rather.formats.rendering import Form

from ..runs import run_text

TEXT = Form(text=True)
MADE = {"stage": "synth.degrade_conditions", "method": "blur+generic", "params": '{"radius_rel":0.01}', "seed": 5}


def shown(*data: bytes) -> list[dict[str, Any]]:
    return [{"bytes": each, "path": None} for each in data]


def rows(n: int, **more: Any) -> pa.Table:
    """n rows: a photo and a question, a good and a bad answer in words and in pictures."""
    columns: dict[str, Any] = {
        "prompt": pa.array([[{"role": "user", "content": f"what is {k}?"}] for k in range(n)], MESSAGES),
        "images": pa.array([shown(b"photo%d" % k) for k in range(n)], COLUMNS["images"]),
        "chosen": pa.array([{"text": f"good {k}", "image": shown(b"t%d" % k)[0]} for k in range(n)], ANSWER),
        "rejected": pa.array(
            [{"text": f"bad {k}", "image": shown(b"n%d" % k)[0], "made_by": MADE} for k in range(n)], ANSWER
        ),
        "id": pa.array([f"row{k}" for k in range(n)]),
    }
    return pa.table(columns | {name: pa.array(values, COLUMNS.get(name)) for name, values in more.items()})


def test_a_quadruple_keeps_the_undegraded_conditions() -> None:
    table = rows(1, degrade_visual=["blur"], degrade_text=["generic"])
    assert dialect("sfo_quad").convert(table, TEXT).to_pylist() == [
        {
            "reference": {"bytes": b"photo0", "path": None}, "prompt": "what is 0?",
            "target": {"bytes": b"t0", "path": None}, "negative": {"bytes": b"n0", "path": None},
            "degrade_visual": "blur", "degrade_text": "generic", "degrade_params": '{"radius_rel":0.01}', "seed": 5,
        }
    ]  # fmt: skip


def test_vision_has_as_many_image_parts_as_images() -> None:
    table = rows(2).set_column(1, "images", pa.array([shown(b"a", b"b"), shown(b"c")], COLUMNS["images"]))
    for row in dialect("trl_vlm").convert(table, Form()).to_pylist():
        content = row["prompt"][0]["content"]
        assert sum(part["type"] == "image" for part in content) == len(row["images"])
        assert content[-1] == {"type": "text", "text": row["prompt"][0]["content"][-1]["text"]}
        assert row["chosen"][0]["role"] == "assistant"


def test_rlaif_v_and_llava_columns() -> None:
    table = rows(1, source=["vqa"])
    assert dialect("rlaif_v").convert(table, TEXT).to_pylist() == [
        {
            "ds_name": "vqa", "image": {"bytes": b"photo0", "path": None}, "question": "what is 0?",
            "chosen": "good 0", "rejected": "bad 0", "origin_dataset": "vqa", "origin_split": "{}", "idx": "row0",
            "image_path": "",
        }
    ]  # fmt: skip
    assert dialect("llava_dpo").convert(table, TEXT).to_pylist() == [
        {"id": "row0", "image": {"bytes": b"photo0", "path": None}, "prompt": "<image>\nwhat is 0?",
         "chosen": "good 0", "rejected": "bad 0"}
    ]  # fmt: skip


def test_a_critic_learns_no_place() -> None:
    """Which answer stands first follows the row; the verdict names the place the chosen one has, or a tie."""
    n = 64
    table = rows(n, verdict=["tie" if k == 0 else "prefer" for k in range(n)])
    out = dialect("llava_critic").convert(table, TEXT).to_pylist()
    places = set()
    for k, row in enumerate(out):
        (asked, said) = row["conversations"]
        first = asked["value"].index(f"good {k}") < asked["value"].index(f"bad {k}")
        assert (asked["from"], said["from"]) == ("human", "gpt") and asked["value"].startswith("<image>\nwhat is")
        if k == 0:
            assert said["value"] == "They are equally good."
        else:
            assert said["value"] == f"Response {1 if first else 2} is better."
            places.add(first)
    assert places == {True, False}


def test_a_pointwise_critic_needs_a_score() -> None:
    critiques = [{"text": "clear", "score": 4.0}, {"text": "well", "score": None}, {"text": None, "score": 2.5}]
    table = rows(3, critique=critiques)
    point = dialect("llava_critic_pointwise")
    assert point.unfit(table).to_pylist() == [None, "no critique score", None]
    said = [row["conversations"][1]["value"] for row in point.convert(table.take([0, 2]), TEXT).to_pylist()]
    assert said == ["Score: 4\nclear", "Score: 2.5"]


@pytest.mark.parametrize("name", ["sfo_quad", "trl_vlm", "rlaif_v", "llava_dpo", "llava_critic"])
def test_rows_whose_image_is_a_bare_path_are_left_out(name: str) -> None:
    images = [shown(b"a"), [], None, [{"bytes": None, "path": "a.jpg"}]]
    table = rows(4).set_column(1, "images", pa.array(images, COLUMNS["images"]))
    assert dialect(name).unfit(table).to_pylist() == [None, *["no image with the prompt"] * 3]


def test_cross_prompt_pairs_keep_both_prompts_and_ties() -> None:
    asked = [[{"role": "user", "content": text}] for text in ("a", "b")]
    table = rows(2, verdict=["prefer", "tie"]).append_column("prompt_chosen", pa.array(asked, MESSAGES))
    table = table.append_column("prompt_rejected", pa.array(asked[::-1], MESSAGES))
    out = dialect("soli_cross").convert(table, TEXT).to_pylist()
    assert [(r["prompt_chosen"], r["prompt_rejected"], r["mu"]) for r in out] == [("a", "b", 1.0), ("b", "a", 0.5)]


CROSS = """
name: cross
stages:
  - read.rows: {{path: {path}}}
  - write.parquet: {{path: out, dialect: {dialect}}}
"""


def test_a_dialect_of_one_prompt_refuses_pairs_across_prompts(tmp_path: Path) -> None:
    """Plain DPO would train the second prompt's answer as an answer to the first."""
    asked = pa.array([[{"role": "user", "content": "b"}]] * 2, MESSAGES)
    table = rows(2).append_column("prompt_chosen", asked).append_column("prompt_rejected", asked)
    pq.write_table(table, tmp_path / "cross.parquet")
    with pytest.raises(InputError, match="across prompts"):
        run_text(CROSS.format(path=tmp_path / "cross.parquet", dialect="diffusion_dpo"), tmp_path / "no")
    view = run_text(CROSS.format(path=tmp_path / "cross.parquet", dialect="soli_cross"), tmp_path / "yes")
    assert view.facts["write.parquet"]["rows"] == {"train": 2}
