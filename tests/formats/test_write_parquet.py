"""The stage: layout, bytes, splits, forms, features, and that a folder is replaced whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError, RunError
from rather.core.row import ANSWER, MESSAGES
from rather.formats import shards
from rather.formats.write_parquet import WriteParquet

from ..frames import OddFrame, SinkContext, TableFrame, marked, numbered, pairs


def many(n: int, **more: Any) -> pa.Table:
    rng = np.random.default_rng(0)
    words = [f"word{k}" for k in range(50)]
    texts = [" ".join(rng.choice(words, size=rng.integers(1, 30))) for _ in range(3 * n)]
    return pairs([f"prompt {k % (n // 2 + 1)}" for k in range(n)], texts[:n], texts[n : 2 * n], **more)


def write(table: pa.Table, out: Path, **options: Any) -> dict[str, Any]:
    return dict(WriteParquet(**options).sink(TableFrame(table), SinkContext.at(out)))


def read(out: Path, split: str = "train") -> pa.Table:
    files = sorted((out / "data" / "data").glob(f"{split}-*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def digests(out: Path) -> dict[str, str]:
    files = sorted((out / "data" / "data").iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_layout_and_facts(tmp_path: Path) -> None:
    facts = write(many(2_500), tmp_path, rows_per_file=1_200)
    names = [f"train-0000{k}-of-00003.parquet" for k in range(3)]
    assert sorted(digests(tmp_path)) == names
    assert facts["path"] == str(tmp_path / "data") and Path(facts["card"]).is_file()
    assert {file["file"]: file["sha256"] for file in facts["files"]} == digests(tmp_path)
    assert [file["rows"] for file in facts["files"]] == [1200, 1200, 100]
    assert facts["rows"] == {"train": 2500}
    assert facts["bytes"] == sum(p.stat().st_size for p in (tmp_path / "data" / "data").iterdir())
    assert not [p for p in (tmp_path / "data").rglob("*") if p.name.endswith((".writing", ".old"))]


def test_files_close_after_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "GROUP_ROWS", 1_000)
    facts = write(many(5_000), tmp_path, bytes_per_file=1)
    assert [file["rows"] for file in facts["files"]] == [1_000] * 5
    assert read(tmp_path)["prompt"].to_pylist() == [f"prompt {k % 2501}" for k in range(5_000)]


@pytest.mark.parametrize("options", [{}, {"rows_per_file": 777, "test": 0.3}, {"dialect": "trl_kto"}])
def test_bytes_do_not_depend_on_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(shards, "GROUP_BYTES", 500_000)
    table = many(6_000, verdict=pa.array(["prefer", "tie", None] * 2_000))
    seen = []
    for step in (7, 37, 1_000, 5_000) if not options else (37, 5_000):
        out = tmp_path / str(step)
        WriteParquet(**options).sink(OddFrame(table, step), SinkContext.at(out))
        seen.append(digests(out))
    assert all(found == seen[0] for found in seen)
    groups = pq.ParquetFile(next((tmp_path / "37" / "data" / "data").glob("train-00000*"))).num_row_groups
    assert groups > 1 or options


def test_pages_do_not_depend_on_batches(tmp_path: Path) -> None:
    long = [f"{k} " * 700 for k in range(4_000)]
    table = pairs(["q"] * 4_000, long, long[::-1])
    for step in (300, 4_000):
        WriteParquet().sink(OddFrame(table, step), SinkContext.at(tmp_path / str(step)))
    assert digests(tmp_path / "300") == digests(tmp_path / "4000")


def test_a_prompt_never_stands_in_both_splits(tmp_path: Path) -> None:
    facts = write(many(4_000), tmp_path, test=0.25)
    train, test = (set(read(tmp_path, split)["prompt"].to_pylist()) for split in ("train", "test"))
    assert not train & test
    assert 800 < facts["rows"]["test"] < 1_200 and sum(facts["rows"].values()) == 4_000
    again = write(many(4_000), tmp_path / "again", test=0.25, seed=8)
    assert again["files"] != facts["files"]


def test_an_empty_split_is_a_file_with_columns(tmp_path: Path) -> None:
    write(many(3), tmp_path, test=1e-9)
    assert read(tmp_path, "test").num_rows == 0 and read(tmp_path, "test").schema == read(tmp_path).schema


def test_ties_are_left_out_and_counted(tmp_path: Path) -> None:
    table = pairs(["a", "b", "c"], ["1", "2", None], ["x", "y", "z"], verdict=pa.array(["prefer", "tie", "prefer"]))
    facts = write(table, tmp_path)
    assert facts["left_out"] == {"tie": 1, "no chosen answer": 1} and facts["rows"] == {"train": 1}
    assert "1 rows were not written: tie." in Path(facts["card"]).read_text()
    assert write(table, tmp_path / "own", dialect="rather")["rows"] == {"train": 3}


def test_ids_scores_and_asked_columns_stand_beside(tmp_path: Path) -> None:
    table = many(
        10,
        margin=pa.array(np.arange(10.0)),
        quality=pa.array(np.arange(10.0)),
        votes=pa.array([3] * 10),
        topic=pa.array(["t"] * 10),
    )
    table = marked(table, "quality", scorer="score.quality", better="higher", unit="points")
    write(table, tmp_path, columns=["topic"])
    assert read(tmp_path).column_names == ["prompt", "chosen", "rejected", "id", "margin", "quality", "topic"]


def test_auto_falls_back_to_messages_for_the_last_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = {"role": "user", "content": "hi"}
    dialogue = pa.array([[turn, {"role": "assistant", "content": "yes?"}, turn]], MESSAGES)
    plain = pairs(["a"] * 20, ["1"] * 20, ["2"] * 20).select(["prompt", "chosen", "rejected"])
    answer = pa.array([{"text": "1"}], ANSWER)
    whole = pa.concat_tables([plain, pa.table({"prompt": dialogue, "chosen": answer, "rejected": answer})])
    table = marked(numbered(whole), "prompt", form="text")
    facts = dict(WriteParquet().sink(OddFrame(table, 4), SinkContext.at(tmp_path)))
    assert facts["form"] == "messages" and facts["rows"] == {"train": 21} and facts["statistics"]["rows"] == 21
    assert read(tmp_path)["prompt"][0].as_py() == [{"role": "user", "content": "a"}]
    with pytest.raises(InputError, match="use form: messages"):
        write(table, tmp_path / "text", form="text")


def test_messages_stay_messages_without_the_mark(tmp_path: Path) -> None:
    table = many(5)
    assert write(marked(table, "prompt"), tmp_path)["form"] == "messages"
    assert write(table, tmp_path / "text")["form"] == "text"
    assert write(marked(table, "prompt"), tmp_path / "asked", form="text")["form"] == "text"


def test_a_failed_write_leaves_the_old_data(tmp_path: Path) -> None:
    write(many(50), tmp_path)
    before = digests(tmp_path)

    class Stopping:
        out, seed, view = str(tmp_path), 7, SinkContext.at(tmp_path).view
        stop_asked = staticmethod(lambda: True)

    with pytest.raises(RunError, match="untouched"):
        WriteParquet().sink(TableFrame(many(60)), Stopping())
    assert digests(tmp_path) == before
    assert write(many(60), tmp_path)["rows"] == {"train": 60} and digests(tmp_path) != before


def test_a_folder_of_other_files_is_not_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "data" / "data" / "photo.jpg"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"x")
    with pytest.raises(InputError, match=r"holds photo\.jpg"):
        write(many(3), tmp_path)
    assert precious.read_bytes() == b"x"


def test_faults_name_the_dialect_and_the_form() -> None:
    assert "did you mean trl_kto" in WriteParquet(dialect="trl_kt").faults()[0]
    assert "use form: messages" in WriteParquet(dialect="trl_implicit", form="text").faults()[0]
    assert WriteParquet(dialect="trl_implicit").faults() == []


def test_what_it_reads_follows_the_dialect() -> None:
    assert WriteParquet(dialect="trl_sft").columns_read()[:2] == ("prompt", "chosen")
    assert "rejected" not in WriteParquet(dialect="trl_sft").columns_read()
    assert {"steps", "topic"} <= set(WriteParquet(dialect="trl_stepwise", columns=["topic"]).columns_read())


def test_datasets_reads_features_and_is_not_fooled_by_a_rewrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    folder = str(tmp_path / "data")
    image = {"bytes": _png(), "path": None}
    call = pa.array([[{"role": "user", "content": "x", "tool_calls": '[{"name": "f"}]'}]] * 3, MESSAGES)
    images = pa.array([[image]] * 3, pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())])))
    answer = pa.array([{"text": "1"}] * 3, ANSWER)
    table = numbered(pa.table({"prompt": call, "chosen": answer, "rejected": answer, "images": images}))
    write(table, tmp_path)
    first = datasets.load_dataset(folder, cache_dir=str(tmp_path / "cache"))["train"]
    assert first.features["images"] == datasets.List(datasets.Image())
    assert first[0]["images"][0].size == (2, 3)
    assert first[0]["prompt"][0]["tool_calls"] == [{"name": "f"}]
    write(many(8), tmp_path)
    second = datasets.load_dataset(folder, cache_dir=str(tmp_path / "cache"))["train"]
    assert second.num_rows == 8 and second.features["prompt"] == datasets.Value("string")


def _png() -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (2, 3)).save(stream, "PNG")
    return stream.getvalue()
