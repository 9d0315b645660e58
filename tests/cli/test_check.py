"""The door as its users meet it: faults in one message, exit codes, the JSON line, what can be looked up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rather.cli.api import shipped_recipes
from rather.cli.main import main
from rather.cli.schema import recipe_schema

from .. import stages  # noqa: F401  (registers the demo stages)
from .schemas import misfits

PAIRS = "".join(f'{{"prompt": "q {k}", "chosen": "yes {k}", "rejected": "no"}}\n' for k in range(9))
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


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for every test, with a file of pairs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.jsonl").write_text(PAIRS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def rather(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line; (exit code, standard output, standard error), and no traceback ever."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        told = capsys.readouterr()
        assert "Traceback" not in told.err and "bug of ours" not in told.err
        return int(stop.value.code or 0), told.out, told.err

    return call


def write(text: str, name: str = "recipe.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_every_fault_at_once_with_its_line_and_the_nearest_name(rather: Any) -> None:
    code, out, err = rather("check", write(FAULTY))
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


def test_run_refuses_what_check_refuses(rather: Any) -> None:
    code, _, err = rather("run", write(FAULTY), "--json")
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
def test_one_fault(rather: Any, text: str, line: int, cause: str) -> None:
    code, _, err = rather("check", write(text))
    assert code == 2 and cause in err and f"recipe.yaml:{line}: " in err
    assert "0123456789abcdef" not in err


def test_a_skipped_stage_cannot_be_named(rather: Any) -> None:
    text = """
stages:
  - read.pairs: {path: pairs.jsonl}
  - embed.text: {}
  - split.heldout: {}
    if: false
  - diagnose.evidence: {against: split.heldout}
"""
    code, _, err = rather("check", write(text))
    assert code == 2 and "against: split.heldout is skipped here" in err


def test_what_set_cannot_do(rather: Any) -> None:
    code, _, err = rather("check", "quickstart", "--set", "embed.text.model=x", "--set", "filtr.rules.empty=1")
    assert code == 2
    assert "embed.text may mean embed.answers or embed.negatives" in err
    assert "no stage of this recipe is called filtr.rules; did you mean filter.rules" in err
    code, _, err = rather("check", "quickstart", "--set", "seed=seven", "--set", "batch=0", "--set", "select.keep")
    assert code == 2
    assert "seed must be a whole number" in err and "batch must be at least 1" in err
    assert "not of the form name.option=value" in err


def test_set_reaches_stages_models_and_the_top(rather: Any) -> None:
    write(ASK)
    words = ["--set", "demo.read.rows=4", "--set", "models.judge.delay=0.001", "--set", "name=other"]
    code, out, _ = rather("run", "recipe.yaml", *words, "--json")
    told = json.loads(out.splitlines()[-1])
    assert code == 0 and told["rows_in"] == 4 and told["out"] == "runs/other"


def test_unknown_things_are_answered_with_the_nearest(rather: Any) -> None:
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
        code, _, err = rather(*words)
        assert code == 2 and err.startswith("rather: ") and hint in err, (words, code, err)


def test_a_plugin_that_fails_says_where(rather: Any) -> None:
    write("raise ValueError('broken plugin')", "plugin.py")
    code, _, err = rather("list", "--plugin", "plugin.py")
    assert code == 2 and "plugin.py: the plugin does not load: ValueError: broken plugin" in err


def test_the_json_line(rather: Any) -> None:
    code, out, err = rather("run", write(ASK), "--json")
    assert code == 0
    told = json.loads(out.splitlines()[-1])
    wanted = {"rows_in", "made", "rows_out", "dropped", "failed", "skipped", "calls", "calls_reused", "seconds", "out"}
    assert wanted <= set(told)
    assert told["skipped"] == [{"stage": "demo.chars", "why": "if: not true"}]
    assert (told["rows_in"], told["rows_out"], told["calls"], told["calls_reused"]) == (30, 30, 30, 0)
    events = [json.loads(line) for line in err.splitlines()]
    assert {event["stage"] for event in events if event["event"] == "done"} == {"demo.read", "demo.ask", "demo.digest"}
    again = json.loads(rather("run", "recipe.yaml", "--json")[1].splitlines()[-1])
    assert again["calls"] == 0 and "demo.ask" in again["reused"]
    fresh = json.loads(rather("run", "recipe.yaml", "--json", "--fresh")[1].splitlines()[-1])
    assert (fresh["calls"], fresh["calls_reused"]) == (0, 30)


def test_a_stage_for_a_gpu_is_skipped_by_name_where_there_is_none(rather: Any) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a GPU here")
    write("stages:\n  - demo.read: {rows: 5}\n  - demo.digest: {}\n    if: gpu")
    _, out, _ = rather("run", "recipe.yaml", "--json")
    assert json.loads(out.splitlines()[-1])["skipped"] == [{"stage": "demo.digest", "why": "if: gpu"}]
    assert "skipped here: demo.digest (if: gpu)" in rather("check", "recipe.yaml")[1]
    assert "skipped (if: gpu)" in rather("run", "recipe.yaml")[1]


def test_exit_codes_of_a_failed_run_and_a_spent_budget(rather: Any) -> None:
    broken = "stages: [demo.read: {rows: 1}, demo.chars: {bad: 9}, demo.digest]"
    code, _, err = rather("run", write(broken), "--out", "runs/broken")
    assert code == 1 and "demo.chars: failed on every row (1): ValueError: a length of 9" in err
    code, _, err = rather("run", write(ASK), "--budget-calls", "7", "--out", "runs/budget")
    assert code == 3 and "budget of 7 calls" in err
    assert len(Path("till").read_text(encoding="utf-8").split()) == 7
    assert rather("run", "recipe.yaml", "--out", "runs/budget")[0] == 0
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


def test_looking_things_up(rather: Any, here: Path) -> None:
    code, out, _ = rather("list")
    assert code == 0 and {"filter.rules", "read.pairs", "write.parquet"} <= {
        line.split()[0] for line in out.splitlines()
    }
    assert "quickstart" in rather("list", "recipes")[1]
    assert "static" in rather("list", "models")[1] and "trl_preference" in rather("list", "formats")[1]
    page = rather("show", "filter.margin")[1]
    assert page.startswith("filter.margin (select)") and "lower_quantile: " in page and "paper: " in page
    assert rather("show", "quickstart")[1] == shipped_recipes()["quickstart"].read_text(encoding="utf-8")
    assert "text_encoder" in rather("show", "static")[1]
    assert rather("copy", "quickstart", "mine.yaml")[1].strip() == "mine.yaml"
    assert rather("check", "mine.yaml")[0] == 0
    code, _, err = rather("copy", "quickstart", "mine.yaml")
    assert code == 2 and "the file exists" in err
    report = rather("doctor")[1]
    assert "Python" in report and "base: complete" in report and "pyarrow" in report


def test_descriptions_in_lists_are_whole_sentences(rather: Any) -> None:
    for line in rather("list")[1].splitlines():
        assert line.rstrip().endswith((".", ":", "…")), line


def test_plan_and_preview(rather: Any, here: Path) -> None:
    write(ASK)
    out = rather("plan", "recipe.yaml")[1]
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "to run" in rows["demo.ask"] and "skipped" in rows["demo.chars"] and "at most" in out
    assert not Path("runs").exists()
    rather("run", "recipe.yaml")
    assert "finished" in rather("plan", "recipe.yaml")[1]
    write("stages:\n  - demo.read: {rows: 50}\n  - demo.chars\n  - demo.short: {most: 12}\n  - demo.digest")
    out = rather("preview", "recipe.yaml", "-n", "4")[1]
    assert "── demo.read: 4 in, 4 out" in out and "chars: " in out and "dropped: long" in out
    assert "not run in a preview: demo.digest" in out
    assert sorted(p.name for p in Path("runs").iterdir() if p.is_dir()) == ["ask"]


def test_plan_counts_calls_where_rows_are_known(rather: Any, here: Path) -> None:
    """Rows of lines are counted; of a table that must be parsed for it, calls a row are told instead."""
    models = "models:\n  writer: {use: fake_chat}\n"
    stages = "stages:\n  - read.rows: {path: %s}\n  - synth.candidates: {samples: 3}\n  - synth.verify_keep: {}\n"
    Path("rows.jsonl").write_text('{"prompt": "1?", "reference": "1"}\n' * 5, encoding="utf-8")
    Path("rows.csv").write_text("prompt,reference\n1?,1\n", encoding="utf-8")
    write(models + stages % "rows.jsonl")
    out = rather("plan", "recipe.yaml")[1]
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert rows["synth.candidates"][4:6] == ["5", "15"] and "at most 15 calls, $0.00, before" in out
    write(models + stages % "rows.csv")
    out = rather("plan", "recipe.yaml")[1]
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert rows["synth.candidates"][4:8] == ["?", "3", "a", "row"] and rows["synth.verify_keep"][4:6] == ["?", "0"]
    assert "at most 0 calls, $0.00 and 3 calls, $0.00 a row of unknown number, before any drop" in out


def test_shipped_recipes_fit_the_schema(rather: Any) -> None:
    schema = json.loads(rather("schema")[1])
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


SOURCES = {"read.pairs": "pairs.jsonl", "read.rows": "rows.parquet", "read.images": "photos"}
LABELS = (
    "prompt_misalignment_label", "answer_correctness", "reasoning_correctness", "reasoning_critic",
)  # fmt: skip
FILES = {
    "arte": ["score.icl_utility.probes"],
    "lbt": ["score.teaching.exams"],
    "refeed": ["synth.retrieval_feedback.documents"],
}


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_sound_where_their_input_is(
    rather: Any, name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789")
    (here / "base").mkdir()
    (here / "base" / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("BASE_MODEL", str(here / "base"))
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    row = {"prompt": "q", "chosen": "yes", "rejected": "no", "candidates": ["yes", "no"], "reference": "yes"}
    row |= {"steps": [{"text": "first", "label": True}], "feedback": "shorter", "judgment": "no", "tests": "assert 1"}
    row |= {"text": "a passage", "object": "cat", "answer": "yes", "overall_score": 0.5, "artifact_map": b"png"}
    row |= {"images": [{"bytes": b"a photo, unread", "path": None}], "subjects": [{"phrase": "cat"}]}
    row |= {name: "1" for name in LABELS}
    pq.write_table(pa.Table.from_pylist([row]), "rows.parquet")  # more columns than any one recipe reads
    (here / "photos" / "cat").mkdir(parents=True)
    (here / "photos" / "cat" / "a.png").write_bytes(b"a photo, unread by a check")
    write(json.dumps({"subject": "cat", "prompt": "a cat on a mat"}) + "\n", "photos/prompts.jsonl")
    (first,) = (key for key in yaml.safe_load(text)["stages"][0] if "." in key)
    source = SOURCES.get(first, "")
    sets = ["--set", f"read.path={source}"] if source and "RATHER_RECIPES" not in text else []
    sets += [word for option in FILES.get(name, ()) for word in ("--set", f"{option}=rows.parquet")]
    code, out, err = rather("check", name, *sets)
    if "not installed" in err:
        pytest.skip(err.strip().splitlines()[-1])
    assert code == 0 and f"{name}: sound" in out, err
