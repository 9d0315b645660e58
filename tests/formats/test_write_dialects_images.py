"""Dialects of datasets with images, on rows small enough to be written out in full, and read by their consumers."""

from __future__ import annotations

import io
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


def picture(color: str, side: int = 24) -> bytes:
    """An encoded PNG of one colour."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (side, side), color).save(file, "PNG")
    return file.getvalue()


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


def written(tmp_path: Path, name: str, table: pa.Table) -> Path:
    pq.write_table(table, tmp_path / "rows.parquet")
    view = run_text(CROSS.format(path=tmp_path / "rows.parquet", dialect=name), tmp_path / "run")
    return Path(view.facts["write.parquet"]["path"])


def real(n: int) -> pa.Table:
    """Rows whose images can be opened."""
    colors = [("red", "green", "blue"), ("white", "black", "gray"), ("pink", "navy", "teal")][:n]
    table = rows(n)
    photos = pa.array([shown(picture(c[0])) for c in colors], COLUMNS["images"])
    sides = [
        pa.array([{"text": f"{name} {k}", "image": shown(picture(c[j], 16))[0]} for k, c in enumerate(colors)], ANSWER)
        for j, name in ((1, "good"), (2, "bad"))
    ]
    return table.set_column(1, "images", photos).set_column(2, "chosen", sides[0]).set_column(3, "rejected", sides[1])


@pytest.mark.parametrize(
    ("name", "column"),
    [("trl_vlm", "images"), ("sfo_quad", "target"), ("rlaif_v", "image"), ("llava_dpo", "image")],
)
def test_load_dataset_shows_pictures_whose_bytes_are_untouched(tmp_path: Path, name: str, column: str) -> None:
    from datasets import Image, load_dataset

    table = real(2)
    folder = written(tmp_path, name, table)
    found = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    first = found[0][column]
    opened = first[0] if isinstance(first, list) else first
    assert opened.size == ((16, 16) if column == "target" else (24, 24))
    stored = pq.read_table(next((folder / "data").glob("*.parquet")))[column].to_pylist()
    stored = [each[0] if isinstance(each, list) else each for each in stored]
    source = table["chosen"].to_pylist() if column == "target" else table["images"].to_pylist()
    assert [s["bytes"] for s in stored] == [
        s["image"]["bytes"] if column == "target" else s[0]["bytes"] for s in source
    ]
    kind = found.features[column]
    assert isinstance(kind, Image) or isinstance(kind.feature, Image)


def test_the_diffusion_dpo_script_s_way_of_loading(tmp_path: Path) -> None:
    """Both images decoded from bytes, swapped only where label_0 is 0, and put one after the other."""
    import numpy as np
    from datasets import load_dataset
    from PIL import Image

    found = load_dataset(
        str(written(tmp_path, "diffusion_dpo", real(3))), split="train", cache_dir=str(tmp_path / "cache")
    )
    for k, row in enumerate(found):
        sides = [np.asarray(Image.open(io.BytesIO(row[name])).convert("RGB")) for name in ("jpg_0", "jpg_1")]
        if row["label_0"] == 0:
            sides.reverse()
        pixels = np.concatenate(sides, axis=-1)
        assert pixels.shape == (16, 16, 6) and row["label_0"] in (0.0, 1.0)
        expected = [("green", "blue"), ("black", "gray"), ("navy", "teal")][k]
        wanted = np.concatenate([np.asarray(Image.new("RGB", (1, 1), c)).reshape(3) for c in expected])
        assert (pixels[0, 0] == wanted).all()


@pytest.mark.full
def test_trl_s_vision_collator_reads_the_rows(tmp_path: Path) -> None:
    """The collator makes one batch of prompts, answers and pixel values, an image token block for each image."""
    pytest.importorskip("torch")
    from datasets import load_dataset
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

    from ..tiny_vlm import processor

    found = load_dataset(str(written(tmp_path, "trl_vlm", real(2))), split="train", cache_dir=str(tmp_path / "cache"))
    batch = DataCollatorForVisionPreference(processor(tmp_path / "vlm"))([found[0], found[1]])
    assert batch["pixel_values"].shape[0] in (2, 4) and batch["input_ids"].shape[0] == 4
    assert batch["completion_mask"].sum() > 0
