"""SIGKILL at any moment: the same bytes in the end, no delivered reply paid for again, no row lost or doubled."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest

STAGES = Path(__file__).with_name("stages.py")
CONCURRENCY = 8
RECIPE = f"""
name: killed
seed: 5
batch: 20
models:
  judge: {{use: demo_till, till: till, delay: 0.004, concurrency: {CONCURRENCY}}}
stages:
  - demo.read: {{rows: 240}}
  - demo.chars
  - demo.short: {{most: 60}}
  - demo.copies
  - demo.ask
  - demo.rank
  - demo.top: {{keep: 120}}
  - demo.ask_all
  - write.parquet: {{path: data, columns: [copy, reply, said], test: 0.1}}
"""
COMMAND = [sys.executable, "-m", "rather", "run", "recipe.yaml", "--plugin", str(STAGES), "--out", "runs/one", "--json"]


@dataclass
class Trial:
    """One folder in which a recipe is run and killed until it is done."""

    command: ClassVar[list[str]] = COMMAND
    home: Path
    recipe: str = RECIPE
    kills: int = 0
    lost: int = 0
    paid_before: set[str] = field(default_factory=set)
    lines_before: int = 0

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        (self.home / "recipe.yaml").write_text(self.recipe, encoding="utf-8")

    def till(self) -> list[str]:
        """Every reply the endpoint gave, in order."""
        path = self.home / "till"
        return path.read_text(encoding="utf-8").split() if path.exists() else []

    def said(self, reply: dict[str, Any]) -> str:
        """The line of the till that a kept reply left."""
        return str(reply["text"].split()[1])

    def journal(self) -> list[str]:
        """The replies that were kept, read from a copy so that a restart finds what the kill left."""
        copy = self.home / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for path in (self.home / "runs").glob("journal.sqlite*"):
            shutil.copy(path, copy)
        if not (copy / "journal.sqlite").exists():
            return []
        connection = sqlite3.connect(copy / "journal.sqlite")
        try:
            return [self.said(json.loads(reply)) for (reply,) in connection.execute("SELECT reply FROM replies")]
        except sqlite3.OperationalError:  # killed before the tables were made
            return []
        finally:
            connection.close()

    def run(self, moment: Callable[[Trial, float], bool] | None = None) -> bool:
        """Run to the end, or kill when `moment` comes; True when it finished."""
        with (self.home / "log").open("ab") as log, (self.home / "out").open("wb") as out:
            process = subprocess.Popen(self.command, cwd=self.home, stdout=out, stderr=log)
            began = time.monotonic()
            while process.poll() is None:
                if moment is not None and moment(self, time.monotonic() - began):
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    break
                time.sleep(0.001)
        assert process.returncode in (0, -signal.SIGKILL), (self.home / "log").read_text(encoding="utf-8")[-2000:]
        self.inspect()
        self.kills += process.returncode != 0
        return process.returncode == 0

    def inspect(self) -> None:
        """Nothing that was in the journal before this attempt was paid for in it."""
        lines, kept = self.till(), self.journal()
        again = self.paid_before & set(lines[self.lines_before :])
        assert not again, f"{len(again)} delivered replies were paid for again"
        assert len(kept) == len(set(kept)) and self.paid_before <= set(kept) <= set(lines)
        self.lost += len(set(lines) - set(kept))
        self.paid_before, self.lines_before = set(kept), len(lines)

    def files(self) -> dict[str, bytes]:
        """The written dataset, byte for byte."""
        folder = self.home / "runs/one/data"
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def after_seconds(seconds: float) -> Callable[[Trial, float], bool]:
    return lambda trial, passed: passed >= seconds


def after_replies(count: int) -> Callable[[Trial, float], bool]:
    """Once so many more replies were given in this attempt."""
    return lambda trial, passed: len(trial.till()) >= trial.lines_before + count


def when_made(count: int) -> Callable[[Trial, float], bool]:
    """Once so many files and folders stand in the run folder: between two renames, say."""
    return lambda trial, passed: sum(len(f) + len(d) for _, d, f in os.walk(trial.home / "runs")) >= count


def assert_whole(trial: Trial, usual: Trial) -> None:
    """The trial ended as an undisturbed run does."""
    assert trial.files() == usual.files()
    lines = trial.till()
    assert set(lines) == set(usual.till())
    assert len(usual.till()) == len(set(usual.till()))
    # a call in flight at a kill may be paid for again, and what waits for its group commit with it
    assert len(lines) - len(set(lines)) <= trial.lost <= trial.kills * 6 * CONCURRENCY
    run = trial.home / "runs/one"
    assert not list(run.rglob("*.writing")) and not list(run.rglob("*.part")) and not (run / ".making").exists()
    assert not list(run.rglob(".*.old"))
    for record in (json.loads(p.read_text(encoding="utf-8")) for p in run.glob("stages/*/record.json")):
        gone = sum(record["dropped"].values()) + record["failed"]
        assert record["rows_in"] + record["made"] == record["rows_out"] + gone, record["name"]
    told = json.loads((trial.home / "out").read_text(encoding="utf-8").splitlines()[-1])
    rows = pq.read_table(run / "data/data")
    assert told["rows_out"] == rows.num_rows == len(set(rows["id"].to_pylist())) == 120
    assert (run / "report.html").exists() and (run / "run.json").exists()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A run that nothing disturbs."""
    trial = Trial(tmp_path_factory.mktemp("usual") / "home")
    assert trial.run()
    return trial


def test_one_kill_in_the_middle_of_paying(usual: Trial, tmp_path: Path) -> None:
    trial = Trial(tmp_path / "home")
    assert not trial.run(after_replies(len(usual.till()) // 3))
    assert trial.paid_before, "replies were kept before the kill"
    assert trial.run()
    assert_whole(trial, usual)
    assert len(trial.till()) < 1.5 * len(usual.till())


def test_a_run_at_work_locks_its_folder(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "home")
    first = subprocess.Popen(COMMAND, cwd=trial.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(trial.till()) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)  # it holds the folder for as long as the second one needs
        second = subprocess.run(COMMAND, cwd=trial.home, capture_output=True, text=True, check=False)
        assert second.returncode == 1 and "another run is at work" in second.stderr
        assert "Traceback" not in second.stderr
        assert len(trial.till()) == len(set(trial.till()))
    finally:
        first.kill()
        first.wait()


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_kills_at_random_moments(usual: Trial, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    trial = Trial(tmp_path / "home")
    while trial.kills < 4:
        kind = chance.choice(["time", "replies", "replies", "files"])
        moment = {
            "time": after_seconds(chance.uniform(0.0, 4.0)),
            "replies": after_replies(chance.randint(0, 150)),
            "files": when_made(chance.randint(1, 60)),
        }[kind]
        if trial.run(moment):
            break
    assert trial.run()
    assert_whole(trial, usual)
    before = trial.files()
    assert trial.run(), "a finished run is reused"
    assert trial.files() == before and len(trial.till()) == trial.lines_before


@pytest.mark.full
@pytest.mark.timeout(900)
def test_kills_while_the_dataset_is_put_in_place(usual: Trial, tmp_path: Path) -> None:
    """Around the last renames: the dataset is there whole after the next run, whatever was left."""
    trial = Trial(tmp_path / "home")
    written = trial.home / "runs/one/data"
    signs = [written / ".data.writing", written / "data", written / "README.md", trial.home / "runs/one/run.json"]
    for sign in signs:
        shutil.rmtree(trial.home / "runs/one", ignore_errors=True)
        trial.run(lambda trial, passed, sign=sign: sign.exists())  # type: ignore[misc]
        assert trial.run()
        assert trial.files() == usual.files()
    assert len(trial.till()) - len(set(trial.till())) <= trial.lost
