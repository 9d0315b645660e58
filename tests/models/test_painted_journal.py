"""Paintings in the journal: durable before use, megabytes whole, killed at any moment, painted once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from rather.core.engine import execute
from rather.core.journal import Entry, Journal
from rather.core.listeners import Silent
from rather.core.plan import make_plan
from rather.core.recipe_parser import parse_recipe
from rather.core.session import RunOptions

from ..pictures import photo_rows


def test_pictures_of_megabytes_come_back_as_they_were(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    texts = [os.urandom(700_000).hex() for _ in range(12)]
    began = time.perf_counter()
    for k, text in enumerate(texts):
        entry = Entry(bytes([k]) * 32, "painter", 0, {"text": "", "data": {"image": text}}, 0, 0.0, 1.0, "run")
        journal.keep([entry]).result()
    found = journal.look_up([bytes([k]) * 32 for k in range(12)]).result()
    seconds = time.perf_counter() - began
    assert [found[bytes([k]) * 32]["data"]["image"] for k in range(12)] == texts
    assert seconds < 12, "far less than painting takes"
    journal.close()


RECIPE: dict[str, Any] = {
    "name": "painted",
    "seed": 5,
    "batch": 8,
    "models": {"painter": {"use": "fake_painter", "side": 128, "delay": 0.05, "concurrency": 2}},
    "stages": [
        {"read.rows": {"path": "rows.parquet"}},
        {"synth.degrade_conditions": {"target": "paint", "visual": ["blur", "noise"]}},
        {"write.parquet": {"path": "data", "dialect": "rather"}},
    ],
}
COMMAND = [sys.executable, "-m", "rather", "run", "recipe.yaml", "--out", "runs/one", "--json"]


def kept(home: Path) -> set[bytes]:
    """The keys in the journal, read from a copy."""
    copy = home / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in (home / "runs").glob("journal.sqlite*"):
        shutil.copy(path, copy)
    connection = sqlite3.connect(copy / "journal.sqlite")
    try:
        return {key for (key,) in connection.execute("SELECT key FROM replies")}
    except sqlite3.OperationalError:  # nothing is there yet
        return set()
    finally:
        connection.close()


def home(folder: Path) -> Path:
    photo_rows(folder / "rows.parquet", count=16)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    return folder


def finished(folder: Path) -> dict[str, Any]:
    done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.full
def test_killed_while_painting_nothing_kept_is_painted_again(tmp_path: Path) -> None:
    usual, killed = home(tmp_path / "usual"), home(tmp_path / "killed")
    assert finished(usual)["calls"] == 48
    process = subprocess.Popen(COMMAND, cwd=killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(kept(killed)) < 12 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = kept(killed)
    assert 12 <= len(before) < 48
    told = finished(killed)
    assert told["calls_reused"] >= len(before) and told["calls"] + len(before) == 48
    assert before < kept(killed) == kept(usual)
    left, right = (pq.read_table(folder / "runs/one/data/data") for folder in (usual, killed))
    assert left.num_rows == 32 and left.equals(right)


def test_cdns_on_a_diffusion_pipeline(tmp_path: Path) -> None:
    """The painter a user would name: a folder of weights. Two runs, the same pixels, painted once."""
    pytest.importorskip("torch", reason="torch is not installed (rather[images])")
    pytest.importorskip("diffusers", reason="diffusers is not installed (rather[images])")
    from .. import tiny_pipelines

    painter = {"use": "diffusers", "path": str(tiny_pipelines.stable_diffusion(tmp_path / "sd")), "steps": 2}
    painter |= {"width": 32, "height": 32, "device": "cpu"}
    photo_rows(tmp_path / "rows.parquet", count=3)
    options = {"target": "paint", "use_image": "start", "visual": ["blur", "noise", "semantic"]}
    recipe = {
        "name": "cdns", "seed": 5, "models": {"painter": painter},
        "stages": [{"read.rows": {"path": str(tmp_path / "rows.parquet")}}, {"synth.degrade_conditions": options}],
    }  # fmt: skip
    plan = make_plan(parse_recipe(yaml.safe_dump(recipe), "cdns.yaml"))
    views = [
        execute(plan, RunOptions(tmp_path / folder / "run", journal=tmp_path / journal / "journal.sqlite"), Silent())
        for folder, journal in (("one", "here"), ("two", "here"), ("three", "there"))
    ]
    counts = [next(c for c in view.funnel if c.stage == "synth.degrade_conditions") for view in views]
    assert [(c.calls, c.calls_reused, c.rows_out) for c in counts] == [(12, 0, 9), (0, 12, 9), (12, 0, 9)]
    tables = [view.frame("synth.degrade_conditions").table(["id", "chosen", "rejected"]) for view in views]
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2]), "painted anew: the same pixels"
    for row in views[0].frame("synth.degrade_conditions").table().to_pylist():
        told = json.loads(row["rejected"]["made_by"]["params"])
        assert told["pipeline"] == "StableDiffusionImg2ImgPipeline" and told["steps"] == 2
        assert told["prompt"] == f"a photo of {row['class_name']}" and told["visual"] == row["degrade_visual"]
        assert row["chosen"]["made_by"]["seed"] == row["rejected"]["made_by"]["seed"]
        assert row["chosen"]["image"]["bytes"] != row["rejected"]["image"]["bytes"]
    before = {row["class_name"]: row["images"] for row in pq.read_table(tmp_path / "rows.parquet").to_pylist()}
    for row in views[0].frame("synth.degrade_conditions").table(["class_name", "images"]).to_pylist():
        assert row["images"] == before[row["class_name"]], "the row keeps its own conditions"
