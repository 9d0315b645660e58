"""The door as its users meet it: faults in one message, exit codes, the JSON line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .. import stages  # noqa: F401  (registers the demo stages)
from .conftest import Door

FAULTY = """\
name: faulty
models:
  judge: {use: opnai, name: some-model}
stages:
  - read.rows: {path: pairs.jsonl}
  - filter.peer_review: {}
  - filter.rules: {least_word: 3}
  - score.reward_head: {folds: many}
  - read.pairs: {path: pair.jsonl}
    as: other
  - embed.text: {model: statc}
  - filter.rulez: {}
"""
ASK = """
name: ask
models:
  judge: {use: demo_till, till: till}
stages:
  - demo.read: {rows: 30}
  - demo.ask
  - demo.chars: {}
    if: not true
  - demo.digest
"""


pytestmark = pytest.mark.usefixtures("here")


def write(text: str, name: str = "recipe.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_every_fault_at_once_with_its_line_and_the_nearest_name(door: Door) -> None:
    code, out, err = door("check", write(FAULTY))
    assert (code, out) == (2, "")
    lines = err.removeprefix("rather: ").splitlines()
    expected = [
        (3, "the model judge uses 'opnai'", "did you mean openai"),
        (6, "filter.peer_review reads flip_suspect, which no earlier stage writes", "score.peer_review writes it"),
        (7, "filter.rules has no option least_word", "did you mean least_words"),
        (8, "score.reward_head.folds: input should be a valid integer", "Parts of the prompts"),
        (9, "other: no readable file at pair.jsonl", "did you mean pairs.jsonl"),
        (11, "embed.text: no model called statc", "did you mean static"),
        (12, "no stage called filter.rulez", "did you mean filter.rules"),
    ]
    for number, cause, hint in expected:
        (found,) = [line for line in lines if line.startswith(f"recipe.yaml:{number}: {cause}")]
        assert hint in found
    assert [int(line.split(":")[1]) for line in lines] == sorted(int(line.split(":")[1]) for line in lines)
    assert not Path("runs").exists()


def test_run_refuses_what_check_refuses(door: Door) -> None:
    code, _, err = door("run", write(FAULTY), "--json")
    assert code == 2 and "recipe.yaml:12" in err and not Path("runs").exists()


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("stages: [demo.read", 1, "not YAML"),
        ("name: [a]\nstages: [demo.read]", 1, "name must be text"),
        ("seed: 1.5\nstages: [demo.read]", 1, "seed must be a whole number"),
        ("stage: [demo.read]", 1, "did you mean stages"),
        ("stages:\n  - demo.read: {rows: 1, rows: 2}", 2, "the key rows stands twice"),
        ("stages:\n  - demo.read: {}\n  - demo.read: {}", 3, "two stages are called demo.read"),
        ("stages:\n  - demo.read: {}\n  - demo.digest: {}\n    inputs: [demo.raed]", 3, "did you mean demo.read"),
        ("stages:\n  - demo.read: {}\n  - demo.digest: {}\n    if: gpus", 3, "if: gpus is not understood"),
        ("stages:\n  - demo.read: {}\n  - demo.rank: {}\n    until: {rows: 3}", 3, "until needs a stage that streams"),
        ("stages:\n  - demo.chars", 2, "begin with a read.* stage"),
        ("stages:\n  - demo.read: {rows: '${NOT_SET_HERE}'}", 2, "environment variable NOT_SET_HERE"),
        ("stages:\n  - demo.read: {}\n    if: false\n  - demo.digest", 4, "demo.read is skipped here"),
        ("stages:\n  - demo.read: {}\n  - score.length: {of: [chosen, chosen]}", 3, "chosen_words twice"),
        (
            "models: {m: {use: openai, name: n, key: sk-0123456789abcdef}}\nstages: [demo.read]",
            1,
            "a secret written out",
        ),
        (
            "stages:\n  - demo.read: {}\n  - demo.read: {}\n    as: b\n  - demo.digest",
            2,
            "no later stage reads the rows",
        ),
    ],
)
def test_one_fault(door: Door, text: str, line: int, cause: str) -> None:
    code, _, err = door("check", write(text))
    assert code == 2 and cause in err and f"recipe.yaml:{line}: " in err
    assert "0123456789abcdef" not in err


def test_a_skipped_stage_cannot_be_named(door: Door) -> None:
    text = """
stages:
  - read.pairs: {path: pairs.jsonl}
  - embed.text: {}
  - split.heldout: {}
    if: false
  - diagnose.evidence: {against: split.heldout}
"""
    code, _, err = door("check", write(text))
    assert code == 2 and "against: split.heldout is skipped here" in err


def test_what_set_cannot_do(door: Door) -> None:
    code, _, err = door("check", "quickstart", "--set", "embed.text.model=x", "--set", "filtr.rules.empty=1")
    assert code == 2
    assert "embed.text may mean embed.answers or embed.negatives" in err
    assert "no stage of this recipe is called filtr.rules; did you mean filter.rules" in err
    code, _, err = door("check", "quickstart", "--set", "seed=seven", "--set", "batch=0", "--set", "select.keep")
    assert code == 2
    assert "seed must be a whole number" in err and "batch must be at least 1" in err
    assert "not of the form name.option=value" in err


def test_set_reaches_stages_models_and_the_top(door: Door) -> None:
    write(ASK)
    words = ["--set", "demo.read.rows=4", "--set", "models.judge.delay=0.001", "--set", "name=other"]
    code, out, _ = door("run", "recipe.yaml", *words, "--json")
    told = json.loads(out.splitlines()[-1])
    assert code == 0 and told["rows_in"] == 4 and told["out"] == "runs/other"


def test_unknown_things_are_answered_with_the_nearest(door: Door) -> None:
    for words, hint in [
        (("run", "quickstrat"), "did you mean quickstart"),
        (("check", "recip.yaml"), "did you mean recipe.yaml"),
        (("show", "filter.margn"), "did you mean filter.margin"),
        (("list", "stage"), "did you mean stages"),
        (("copy", "quickstrat"), "did you mean quickstart"),
        (("run", "quickstart", "--shard", "5/4"), "1 ≤ i ≤ n"),
        (("run", "quickstart", "--limit", "0"), "see: rather --help"),
        (("run", "quickstart", "--executor", "spark"), "no executor called spark"),
        (("run", "quickstart", "--plugin", "none.py"), "no such plugin file"),
        (("rnu", "quickstart"), "see: rather --help"),
        (("report", "nowhere"), ""),
    ]:
        write(ASK)
        code, _, err = door(*words)
        assert code == 2 and err.startswith("rather: ") and hint in err, (words, code, err)


def test_a_plugin_that_fails_says_where(door: Door) -> None:
    write("raise ValueError('broken plugin')", "plugin.py")
    code, _, err = door("list", "--plugin", "plugin.py")
    assert code == 2 and "plugin.py: the plugin does not load: ValueError: broken plugin" in err


def test_the_json_line(door: Door) -> None:
    code, out, err = door("run", write(ASK), "--json")
    assert code == 0
    told = json.loads(out.splitlines()[-1])
    wanted = {"rows_in", "made", "rows_out", "dropped", "failed", "skipped", "calls", "calls_reused", "seconds", "out"}
    assert wanted <= set(told)
    assert told["skipped"] == [{"stage": "demo.chars", "why": "if: not true"}]
    assert (told["rows_in"], told["rows_out"], told["calls"], told["calls_reused"]) == (30, 30, 30, 0)
    events = [json.loads(line) for line in err.splitlines()]
    assert {event["stage"] for event in events if event["event"] == "done"} == {"demo.read", "demo.ask", "demo.digest"}
    again = json.loads(door("run", "recipe.yaml", "--json")[1].splitlines()[-1])
    assert again["calls"] == 0 and "demo.ask" in again["reused"]
    fresh = json.loads(door("run", "recipe.yaml", "--json", "--fresh")[1].splitlines()[-1])
    assert (fresh["calls"], fresh["calls_reused"]) == (0, 30)


def test_a_stage_for_a_gpu_is_skipped_by_name_where_there_is_none(door: Door) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a GPU here")
    write("stages:\n  - demo.read: {rows: 5}\n  - demo.digest: {}\n    if: gpu")
    _, out, _ = door("run", "recipe.yaml", "--json")
    assert json.loads(out.splitlines()[-1])["skipped"] == [{"stage": "demo.digest", "why": "if: gpu"}]
    assert "skipped here: demo.digest (if: gpu)" in door("check", "recipe.yaml")[1]
    assert "skipped (if: gpu)" in door("run", "recipe.yaml")[1]


def test_exit_codes_of_a_failed_run_and_a_spent_budget(door: Door) -> None:
    broken = "stages: [demo.read: {rows: 1}, demo.chars: {bad: 9}, demo.digest]"
    code, _, err = door("run", write(broken), "--out", "runs/broken")
    assert code == 1 and "demo.chars: failed on every row (1): ValueError: a length of 9" in err
    code, _, err = door("run", write(ASK), "--budget-calls", "7", "--out", "runs/budget")
    assert code == 3 and "budget of 7 calls" in err
    assert len(Path("till").read_text(encoding="utf-8").split()) == 7
    assert door("run", "recipe.yaml", "--out", "runs/budget")[0] == 0
    assert len(Path("till").read_text(encoding="utf-8").split()) == 30


@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_an_interrupted_run_ends_with_130_and_goes_on(here: Path, delay: float) -> None:
    write("stages:\n  - demo.read: {rows: 500}\n  - demo.nap: {seconds: 0.2}\n  - demo.digest")
    plugin = ["--plugin", stages.__file__]
    command = [sys.executable, "-m", "rather", "run", "recipe.yaml", *plugin, "--json", "--out", "run"]
    started = subprocess.Popen([*command, "--set", "batch=10"], stderr=subprocess.PIPE, text=True, cwd=here)
    assert started.stderr is not None
    for line in started.stderr:
        if '"begun"' in line:
            break
    time.sleep(delay)
    os.kill(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130 and "interrupted" in err and "Traceback" not in err
    assert not (here / "run" / ".making").exists()
    done = subprocess.run(
        [*command, "--set", "demo.nap.seconds=0"], capture_output=True, text=True, cwd=here, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1])["rows_out"] == 500
