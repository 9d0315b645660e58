"""What can be looked up: lists, pages, a copy, a plan, a preview, the schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from rather.cli.api import shipped_recipes
from rather.cli.schema import recipe_schema

from .conftest import Door
from .schemas import misfits
from .test_check import ASK, write


def test_looking_things_up(door: Door, here: Path) -> None:
    code, out, _ = door("list")
    assert code == 0 and {"filter.rules", "read.pairs", "write.parquet"} <= {
        line.split()[0] for line in out.splitlines()
    }
    assert "quickstart" in door("list", "recipes")[1]
    assert "static" in door("list", "models")[1] and "trl_preference" in door("list", "formats")[1]
    page = door("show", "filter.margin")[1]
    assert page.startswith("filter.margin (select)") and "lower_quantile: " in page and "paper: " in page
    assert door("show", "quickstart")[1] == shipped_recipes()["quickstart"].read_text(encoding="utf-8")
    assert "text_encoder" in door("show", "static")[1]
    assert door("copy", "quickstart", "mine.yaml")[1].strip() == "mine.yaml"
    assert door("check", "mine.yaml")[0] == 0
    code, _, err = door("copy", "quickstart", "mine.yaml")
    assert code == 2 and "the file exists" in err
    report = door("doctor")[1]
    assert "Python" in report and "base: complete" in report and "pyarrow" in report


def test_descriptions_in_lists_are_whole_sentences(door: Door) -> None:
    for line in door("list")[1].splitlines():
        assert line.rstrip().endswith((".", ":", "…")), line


def test_plan_and_preview(door: Door, here: Path) -> None:
    write(ASK)
    out = door("plan", "recipe.yaml")[1]
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "to run" in rows["demo.ask"] and "skipped" in rows["demo.chars"] and "at most" in out
    assert not Path("runs").exists()
    door("run", "recipe.yaml")
    assert "finished" in door("plan", "recipe.yaml")[1]
    write("stages:\n  - demo.read: {rows: 50}\n  - demo.chars\n  - demo.short: {most: 12}\n  - demo.digest")
    out = door("preview", "recipe.yaml", "-n", "4")[1]
    assert "── demo.read: 4 in, 4 out" in out and "chars: " in out and "dropped: long" in out
    assert "not run in a preview: demo.digest" in out
    assert sorted(p.name for p in Path("runs").iterdir() if p.is_dir()) == ["ask"]


def test_plan_counts_calls_where_rows_are_known(door: Door, here: Path) -> None:
    """Rows of lines are counted; of a table that must be parsed for it, calls a row are told instead."""
    models = "models:\n  writer: {use: fake_chat}\n"
    stages = "stages:\n  - read.rows: {path: %s}\n  - synth.candidates: {samples: 3}\n  - synth.verify_keep: {}\n"
    Path("rows.jsonl").write_text('{"prompt": "1?", "reference": "1"}\n' * 5, encoding="utf-8")
    Path("rows.csv").write_text("prompt,reference\n1?,1\n", encoding="utf-8")
    write(models + stages % "rows.jsonl")
    out = door("plan", "recipe.yaml")[1]
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert rows["synth.candidates"][4:6] == ["5", "15"] and "at most 15 calls, $0.00, before" in out
    write(models + stages % "rows.csv")
    out = door("plan", "recipe.yaml")[1]
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert rows["synth.candidates"][4:8] == ["?", "3", "a", "row"] and rows["synth.verify_keep"][4:6] == ["?", "0"]
    assert "at most 0 calls, $0.00 and 3 calls, $0.00 a row of unknown number, before any drop" in out


def test_shipped_recipes_fit_the_schema(door: Door) -> None:
    schema = json.loads(door("schema")[1])
    assert schema == json.loads(json.dumps(recipe_schema()))
    for name, path in shipped_recipes().items():
        assert misfits(yaml.safe_load(path.read_text(encoding="utf-8")), schema) == [], name


@pytest.mark.parametrize(
    "text",
    [
        "stages: []",
        "name: x",
        "stages: [filter.rulez]",
        "stages: [filter.rules: {no_such: 1}]",
        "stages: [read.rows: {path: 3}]",
        "stages: [filter.rules: {}]\nseed: x",
        "stages: [loop: {rounds: 0, stages: [filter.rules]}]",
        "models: {a: {use: nothing}}\nstages: [filter.rules]",
        "stages: [score.length: {}, 3]",
    ],
)
def test_the_schema_refuses_what_is_wrong(text: str) -> None:
    assert misfits(yaml.safe_load(text), recipe_schema())
