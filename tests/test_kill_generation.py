"""SIGKILL while rows are made: the same bytes in the end, and no reply that was kept is paid for again."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rather.cli import api

from .test_kill import Trial, after_replies, after_seconds, when_made

PLUGIN = Path(__file__).with_name("till_chat.py")
FAULTS = {"delay": 0.02, "unparsable": 0.04, "refused": 0.02, "truncated": 0.04}
TOPICS = ("tides", "bread", "maps", "clocks", "gardens", "birds", "glass", "bridges", "rivers", "trains", "salt")
NEW = (
    "Describe how {} came to be, for a guide book.",
    "List five uses of {} in a kitchen.",
    "Who studies {}, and why?",
)
Script = Sequence[tuple[Sequence[str], str]]


def refed_script() -> Script:
    """Three new prompts a seed; who compares prefers the revised answer, but for one topic in four."""
    said: list[tuple[Sequence[str], str]] = []
    for k, topic in enumerate(TOPICS):
        new = [prompt.format(topic) for prompt in NEW]
        said += [([f"# Answer A\nBetter said of {topic}"], "A")]
        said += [([f"# Answer B\nBetter said of {topic}"], "A" if k % 4 == 0 else "B")]
        said += [(["new prompts with the same qualities", topic], json.dumps({"items": new}))]
        said += [(["The revised answer:", topic], f"Better said of {topic}.")]
    return said


def recipe(name: str, folder: Path) -> str:
    """A shipped recipe on rows of this folder, every model a fake that counts what it was paid for."""
    told = yaml.safe_load(api.shipped_recipes()[name].read_text(encoding="utf-8"))
    script = refed_script() if name == "refed" else ()
    lines = (json.dumps({"contains": texts, "reply": reply}) for texts, reply in script)
    (folder / "script.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = {
        "prompt": [f"Explain {topic} to a child." for topic in TOPICS],
        "chosen": [f"Of {topic} there is much in books. Most of it is true." for topic in TOPICS],
    }
    pq.write_table(pa.table(rows), folder / "rows.parquet")
    fake = {"use": "till_chat", "till": "till", "script": str(folder / "script.jsonl"), **FAULTS}
    told["models"] = {nick: fake | {"name": nick} for nick in told["models"]}
    [(source, options)] = told["stages"][0].items()
    told["stages"][0] = {source: options | {"path": str(folder / "rows.parquet")}}
    return yaml.safe_dump(told | {"batch": 4}, sort_keys=False)


@dataclass
class Making(Trial):
    """A trial of a generator; a line of the till names the request and the reply."""

    command: ClassVar[list[str]] = [
        sys.executable, "-m", "rather", "run", "recipe.yaml", "--plugin", str(PLUGIN), "--out", "runs/one", "--json",
    ]  # fmt: skip
    usual: Counter[str] = field(default_factory=Counter)
    """Replies each request takes when nothing disturbs; one that said nothing to the point is asked for anew."""

    def said(self, reply: dict[str, Any]) -> str:
        return str(reply["data"]["line"])

    def inspect(self) -> None:
        lines, kept = self.till(), self.journal()
        assert len(kept) == len(set(kept)) and self.paid_before <= set(kept) <= set(lines)
        had, new = asked(self.paid_before), asked(lines[self.lines_before :])
        again = [mark for mark, n in new.items() if self.usual and n > self.usual[mark] - had[mark]]
        assert not again, f"{len(again)} kept replies were paid for again"
        self.lost = len(lines) - len(kept)
        self.paid_before, self.lines_before = set(kept), len(lines)

    def ledger(self) -> dict[str, bytes]:
        """Why each row went, byte for byte, a file a stage."""
        folder = self.home / "runs/one/dropped"
        return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def asked(lines: Sequence[str] | set[str]) -> Counter[str]:
    """How often each request was answered."""
    return Counter(line.split(":")[0] for line in lines)


@pytest.fixture(scope="module", params=["refed", "multi-critique"])
def usual(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Making:
    """A run that nothing disturbs, with rows made and rows dropped."""
    folder = tmp_path_factory.mktemp(request.param)
    trial = Making(folder / "home", recipe(request.param, folder))
    assert trial.run() and trial.lost == 0
    told = json.loads((trial.home / "out").read_text(encoding="utf-8").splitlines()[-1])
    assert told["failed"] == 0 and told["rows_out"] >= 4 and sum(told["dropped"].values()) > 0
    assert pq.read_table(trial.home / "runs/one/data/data").num_rows == told["rows_out"]
    trial.usual = asked(trial.till())
    assert max(trial.usual.values()) > 1, "some replies are asked for anew"
    return trial


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_kills_while_rows_are_made(usual: Making, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    trial = Making(tmp_path / "home", usual.recipe, usual=usual.usual)
    assert not trial.run(after_replies(20)), "killed in the middle of paying"
    while trial.kills < 5:
        kind = chance.choice(["time", "replies", "replies", "files"])
        moment = {
            "time": after_seconds(chance.uniform(1.0, 3.0)),
            "replies": after_replies(chance.randint(1, 60)),
            "files": when_made(chance.randint(5, 40)),
        }[kind]
        if trial.run(moment):
            break
    assert trial.run()
    assert trial.files() == usual.files() and trial.ledger() == usual.ledger()
    assert asked(trial.paid_before) == usual.usual
    assert trial.lost <= trial.kills * 6 * 8 * len(yaml.safe_load(trial.recipe)["models"])
    lines = len(trial.till())
    assert trial.run() and len(trial.till()) == lines, "a finished run asks for nothing"
