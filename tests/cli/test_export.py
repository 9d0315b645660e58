"""`rather export`: every kind of data in other trainers' columns; splits kept; what does not fit is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ..pictures import png
from .conftest import Door

RECIPE = """
name: small
stages:
  - read.pairs: {path: pairs.jsonl}
  - score.length: {of: [chosen, rejected]}
  - filter.margin: {least: 1.0}
"""


def rows(n: int, **more: Any) -> list[dict[str, Any]]:
    return [{"prompt": f"q {k}", "chosen": f"yes {k}", "rejected": "no", "margin": k / 4, **more} for k in range(n)]


def write(found: Iterable[Mapping[str, Any]], name: str = "pairs.jsonl") -> str:
    Path(name).write_text("".join(f"{json.dumps(row)}\n" for row in found), encoding="utf-8")
    return name


def read(folder: str | Path, split: str = "train") -> list[dict[str, Any]]:
    files = sorted((Path(folder) / "data").glob(f"{split}-*.parquet"))
    assert files
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_a_file_in_the_columns_of_a_trainer(door: Door) -> None:
    write(rows(8))
    assert door("export", "pairs.jsonl", "--to", "trl_kto", "-o", "kto") == (
        0, "kto: trl_kto, text; rows: train 16\n", "",
    )  # fmt: skip
    first, second = read("kto")[:2]
    assert (first["prompt"], first["completion"], first["label"]) == ("q 0", "yes 0", True)
    assert (second["prompt"], second["completion"], second["label"]) == ("q 0", "no", False)
    assert sorted(path.name for path in Path().iterdir()) == ["kto", "pairs.jsonl"]
    card = Path("kto/README.md").read_text(encoding="utf-8")
    assert "16 rows in the columns of trl" in card and "path: pairs.jsonl" in card and "dialect: trl_kto" in card


@pytest.mark.parametrize("first", ["trl_preference", "trl_implicit", "trl_reward", "rather"])
def test_what_was_exported_can_be_exported_again(door: Door, first: str) -> None:
    write(rows(9))
    assert door("export", "pairs.jsonl", "--to", "trl_preference", "--form", "messages", "-o", "straight")[0] == 0
    assert door("export", "pairs.jsonl", "--to", first, "-o", "one")[0] == 0
    assert door("export", "one", "--to", "trl_preference", "--form", "messages", "-o", "two")[0] == 0
    assert read("two") == read("straight")


def test_rows_that_do_not_fit_are_counted(door: Door) -> None:
    found = rows(6)
    found[2]["chosen"] = found[3]["rejected"] = None
    write(found)
    code, out, _ = door("export", "pairs.jsonl", "--to", "trl_preference", "-o", "out", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["rows"] == {"train": 4}
    assert facts["left_out"] == {"no chosen answer": 1, "no rejected answer": 1}
    assert [row["prompt"] for row in read("out")] == ["q 0", "q 1", "q 4", "q 5"]
    code, out, _ = door("export", "pairs.jsonl", "--to", "trl_sft", "-o", "sft")
    assert code == 0 and "left out: 1 no chosen answer" in out and len(read("sft")) == 5


def test_a_run_is_exported_as_it_ended_or_after_a_stage(door: Door) -> None:
    write(rows(12))
    Path("small.yaml").write_text(RECIPE, encoding="utf-8")
    assert door("run", "small.yaml", "--out", "run")[0] == 0
    assert door("export", "run", "--to", "trl_reward", "-o", "out")[0] == 0
    assert [row["margin"] for row in read("out")] == [k / 4 for k in range(4, 12)]
    assert "chosen_words" in read("out")[0]  # scores of the run stand beside the pair
    card = Path("out/README.md").read_text(encoding="utf-8")
    assert "filter.margin:" in card and "| read.pairs | 12 |" in card
    code, out, _ = door("export", "run", "--to", "trl_reward", "-o", "all", "--stage", "score.length")
    assert (code, out) == (0, "all: trl_reward, text; rows: train 12\n")


def test_splits_stay_what_they_were(door: Door) -> None:
    write(rows(40))
    assert door("export", "pairs.jsonl", "--to", "rather", "--test", "0.3", "-o", "own")[0] == 0
    before = {split: {row["prompt"][0]["content"] for row in read("own", split)} for split in ("train", "test")}
    code, out, _ = door("export", "own", "--to", "trl_kto", "-o", "kto", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["rows"] == {split: 2 * len(found) for split, found in before.items()}
    assert facts["leaked"] == 0
    for split, found in before.items():
        assert {row["prompt"][0]["content"] for row in read("kto", split)} == found
    assert "no prompt stands in both splits" in Path("kto/README.md").read_text(encoding="utf-8")
    assert door("export", "own", "--to", "trl_sft", "--split", "test", "-o", "sft")[0] == 0
    assert not list(Path("sft/data").glob("train-*")) and len(read("sft", "test")) == len(before["test"])


def test_splits_that_share_prompts_are_told_of(door: Door) -> None:
    folder = Path("in/data")
    folder.mkdir(parents=True)
    for split, found in (("train", rows(6)), ("test", rows(3, note="again"))):
        pq.write_table(pa.Table.from_pylist(found), folder / f"{split}-00000-of-00001.parquet")
    code, out, _ = door("export", "in", "--to", "trl_sft", "-o", "out")
    assert code == 0 and "beware: 3 prompts of the test split stand in another split as well" in out
    card = Path("out/README.md").read_text(encoding="utf-8")
    assert "3 prompts of the test split" in card and "no prompt stands in both" not in card


def test_one_form_for_all_splits(door: Door) -> None:
    """Where one split needs messages, strings in the other would make two datasets of one."""
    folder = Path("in/data")
    folder.mkdir(parents=True)
    turns = json.dumps([{"role": "system", "content": "be kind"}, {"role": "user", "content": "q"}])
    for split, prompt in (("train", "plain"), ("test", turns)):
        lines = [json.dumps({"prompt": prompt, "chosen": "a", "rejected": "b"}) for _ in range(3)]
        (folder / f"{split}-00000-of-00001.jsonl").write_text("\n".join(lines), encoding="utf-8")
    code, out, _ = door("export", "in", "--to", "trl_preference", "-o", "out")
    assert (code, out) == (0, "out: trl_preference, messages; rows: train 3, test 3\n")
    assert read("out")[0]["prompt"] == [{"role": "user", "content": "plain"}]
    assert [turn["role"] for turn in read("out", "test")[0]["prompt"]] == ["system", "user"]


def test_columns_are_named_and_kept(door: Door) -> None:
    write({"q": f"q {k}", "good": "a", "bad": "b", "topic": f"t {k}"} for k in range(3))
    words = ["export", "pairs.jsonl", "--to", "trl_preference", "-o", "out", "--keep", "topic"]
    code, _, err = door(*words, "--map", "prompt=q")
    assert code == 2 and "name yours as in --map chosen=THEIRS" in err and not Path("out").exists()
    assert door(*words, "--map", "prompt=q", "--map", "chosen=good", "--map", "rejected=bad")[0] == 0
    assert [row["topic"] for row in read("out")] == ["t 0", "t 1", "t 2"]


def test_images_go_through_unchanged(door: Door) -> None:
    pictures = [{name: {"bytes": png(seed + k), "path": None} for name, seed in (("chosen", 0), ("rejected", 50))}
                for k in range(3)]  # fmt: skip
    table = pa.Table.from_pylist([{"prompt": f"a dog {k}", **both} for k, both in enumerate(pictures)])
    pq.write_table(table, "images.parquet")
    assert door("export", "images.parquet", "--to", "diffusion_dpo", "-o", "out")[0] == 0
    assert [row["jpg_0"] for row in read("out")] == [both["chosen"]["bytes"] for both in pictures]
    code, _, err = door("export", "images.parquet", "--to", "trl_sft", "-o", "text")
    assert code == 2 and "no row fits trl_sft: 3 no chosen answer" in err and not Path("text/data").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pairs.jsonl", "--to", "trl_ktto"], "--to: no dialect called trl_ktto; did you mean trl_kto"),
        (["pair.jsonl", "--to", "trl_kto"], "no readable file at pair.jsonl; did you mean pairs.jsonl"),
        (["pairs.jsonl", "--to", "trl_kto", "--form", "txt"], "--form txt is not known; did you mean text?"),
        (["pairs.jsonl", "--to", "trl_vlm", "--form", "text"], "trl_vlm cannot be written as text; use form: messages"),
        (["pairs.jsonl", "--to", "trl_kto", "--test", "1"], "--test 1 is no share from 0 to below 1"),
        (["pairs.jsonl", "--to", "trl_kto", "--keep", "margn"], "no column margn, which write.parquet reads here; did"),
        (["pairs.jsonl", "--to", "trl_stepwise"], "no column steps, which write.parquet reads here; columns there are"),
        (["pairs.jsonl", "--to", "trl_kto", "--map", "q"], "--map q is not OURS=THEIRS"),
        (["pairs.jsonl", "--to", "trl_kto", "--stage", "x"], "pairs.jsonl: --stage is for run folders"),
        (["pairs.jsonl", "--to", "trl_kto", "--format", "explict"], "--format explict is not known; did you mean"),
        (["own", "--to", "trl_kto", "--test", "0.1"], "own: the data has a test split already"),
        (["own", "--to", "trl_kto", "--split", "tests"], "own has no split tests; did you mean test?"),
        (["own", "--to", "trl_kto", "-o", "own"], "own: the dataset would be written over what it is made from"),
        (["nothing.jsonl", "--to", "trl_kto"], "nothing.jsonl: it holds no rows"),
        (["own", "--to", "trl_kto", "-o", "pairs.jsonl"], "pairs.jsonl: this is a file; give a folder with -o"),
        (["half", "--to", "trl_kto"], "half: this run has not finished; run the same command again"),
        (["run", "--to", "trl_kto", "--stage", "filter.margn"], "no stage called filter.margn; did you mean"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message(door: Door, words: list[str], told: str) -> None:
    write(rows(12))
    assert door("export", "pairs.jsonl", "--to", "rather", "--test", "0.4", "-o", "own")[0] == 0
    before = {path: path.read_bytes() for path in Path("own").rglob("*.*")}
    Path("nothing.jsonl").touch()
    Path("half/stages").mkdir(parents=True)
    Path("half/recipe.yaml").write_text(RECIPE, encoding="utf-8")
    Path("small.yaml").write_text(RECIPE, encoding="utf-8")
    if words[0] == "run":
        assert door("run", "small.yaml", "--out", "run")[0] == 0
    code, out, err = door("export", *words, *([] if "-o" in words else ["-o", "out"]))
    assert (code, out) == (2, "") and told in err and err.count("\n") == 1
    assert not Path("out").exists() and {path: path.read_bytes() for path in Path("own").rglob("*.*")} == before


def test_real_pairs_in_every_text_dialect(door: Door, data: Path) -> None:
    source = data / "preferences" / "dpo_demo_en.jsonl"
    n = len(source.read_text(encoding="utf-8").splitlines())
    for name, each in (("trl_preference", 1), ("trl_implicit", 1), ("trl_kto", 2), ("trl_sft", 1), ("rather", 1)):
        code, out, _ = door("export", source, "--to", name, "-o", name, "--json")
        assert code == 0 and json.loads(out)["rows"] == {"train": each * n} and json.loads(out)["left_out"] == {}
