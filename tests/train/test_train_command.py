"""Any trainer as the last stage: arguments, environment, log, failure, time, interruption."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from rather.core.errors import RecipeError, RunError, StageFailed
from rather.core.session import StageContext

from .pair_rows import planted, run_recipe

TELL = "import json,os,sys; json.dump([sys.argv[1:], dict(os.environ), os.getcwd()], open('{out}/told.json','w'))"


def run(folder: Path, command: list[str] | str, **options: Any) -> dict[str, Any]:
    path = folder / "pairs.parquet"
    if not path.exists():
        planted(path, 12, 0.0)
    stages = [
        {"read.planted": {"path": str(path)}},
        {"write.parquet": {"path": "data"}},
        {"train.command": {"command": command, **options}},
    ]
    text = yaml.safe_dump({"name": "t", "seed": 5, "stages": stages}, sort_keys=False, width=10_000)
    return run_recipe(text, folder / "run").facts["train.command"]


def script(folder: Path, text: str) -> str:
    path = folder / "trainer.py"
    path.write_text(text)
    return str(path)


def test_arguments_are_filled_in_and_never_seen_by_a_shell(tmp_path: Path) -> None:
    awkward = tmp_path / "a b; touch pwned $(id)"
    awkward.mkdir()
    nasty = "; touch {seed}.pwned && $(id) `id` {{data}} '"
    facts = run(awkward, [sys.executable, "-c", "import json,sys; print(json.dumps(sys.argv[1:]))",
                          "--data={data}", "{run}", "{out}", "{seed}", nasty])  # fmt: skip
    said = json.loads((awkward / "run" / "train.command.log").read_text())
    data, run_folder, out, seed, rest = said
    assert data == f"--data={awkward / 'run' / 'data'}"
    assert (run_folder, out, seed) == (str(awkward / "run"), str(awkward / "run" / "trained"), "5")
    assert rest == "; touch 5.pwned && $(id) `id` {data} '"
    assert facts["path"] == out
    assert not [*tmp_path.rglob("*.pwned"), *Path.cwd().glob("*.pwned")]


def test_a_string_is_split_before_it_is_filled_in(tmp_path: Path) -> None:
    spaced = tmp_path / "with space"
    spaced.mkdir()
    run(spaced, f"{sys.executable} -c 'import sys; print(len(sys.argv), sys.argv[1])' {{data}}")
    assert (spaced / "run" / "train.command.log").read_text() == f"2 {spaced / 'run' / 'data'}\n"


def test_environment_is_an_allow_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN_FROM_TRAINERS", "secret")
    monkeypatch.setenv("HANDED_ON", "yes")
    file = script(tmp_path, TELL.replace("{out}", str(tmp_path)))
    run(tmp_path, [sys.executable, file], env=["HANDED_ON", "MADE=a=b"], cwd=str(tmp_path))
    _, env, cwd = json.loads((tmp_path / "told.json").read_text())
    assert env["HANDED_ON"] == "yes"
    assert env["MADE"] == "a=b"
    assert env["PATH"] == os.environ["PATH"]
    assert "HIDDEN_FROM_TRAINERS" not in env
    assert cwd == str(tmp_path)


def test_failure_shows_exit_code_and_last_lines(tmp_path: Path) -> None:
    file = script(
        tmp_path, "import sys\nfor i in range(40): print('line', i)\nprint('no memory', file=sys.stderr)\nsys.exit(7)"
    )
    with pytest.raises(StageFailed, match="exit code 7") as caught:
        run(tmp_path, [sys.executable, "-u", file])
    assert "no memory" in str(caught.value)
    assert "line 39" in str(caught.value)
    assert "line 2\n" not in str(caught.value)
    log = (tmp_path / "run" / "train.command.log").read_text().splitlines()
    assert len(log) == 41


def test_lines_are_streamed_to_the_logger(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rather.train.command"):
        run(tmp_path, [sys.executable, "-c", "print('step 1'); print('step 2')"])
    assert [r.message for r in caplog.records if r.name == "rather.train.command"] == ["step 1", "step 2"]


def test_time_is_limited_and_children_end_too(tmp_path: Path) -> None:
    text = f"""import subprocess, time
child = subprocess.Popen(["sleep", "300"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(300)"""
    began = time.monotonic()
    with pytest.raises(StageFailed, match="not done after 1.5 s"):
        run(tmp_path, [sys.executable, script(tmp_path, text)], timeout=1.5)
    assert time.monotonic() - began < 20
    assert not _alive(str(tmp_path / "trainer.py"))
    child = Path("/proc") / (tmp_path / "child").read_text() / "stat"
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"


def test_an_interrupted_run_ends_the_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    monkeypatch.setattr(
        StageContext, "stop_asked", lambda self: time.monotonic() - began > 1 and self.name == "train.command"
    )
    with pytest.raises(RunError, match="interrupted"):
        run(tmp_path, [sys.executable, script(tmp_path, "import time; time.sleep(300)")])
    assert not _alive(str(tmp_path / "trainer.py"))


def test_a_finished_trainer_is_not_run_again(tmp_path: Path) -> None:
    file = script(tmp_path, f"open({str(tmp_path / 'runs')!r}, 'a').write('x')")
    first = run(tmp_path, [sys.executable, file])
    assert run(tmp_path, [sys.executable, file]) == first
    assert (tmp_path / "runs").read_text() == "x"
    run(tmp_path, [sys.executable, file], timeout=60)
    assert (tmp_path / "runs").read_text() == "xx"


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (["no-such-trainer-at-all", "x"], "there is no program no-such-trainer-at-all"),
        (["./missing.sh"], "there is no program ./missing.sh"),
        ([sys.executable, "{dta}"], "did you mean data"),
        ([sys.executable, "{data.__class__}"], "is not known"),
        ([sys.executable, "{data[0]}"], "is not known"),
        ([sys.executable, "{seed!r}"], "is not known"),
        ([sys.executable, "{seed:>9}"], "is not known"),
        ([sys.executable, "{}"], "is not known"),
        ([sys.executable, "{data"], "cannot be read"),
        ("python 'unclosed", "cannot be read"),
        ("  ", "is empty"),
        ([], "command"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path: Path, command: Any, cause: str) -> None:
    with pytest.raises(RecipeError) as caught:
        run(tmp_path, command)
    assert cause in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_missing_folder_to_start_in_is_found_too(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="does not exist"):
        run(tmp_path, [sys.executable], cwd=str(tmp_path / "nowhere"))


def _alive(mark: str) -> list[str]:
    """Command lines of running processes that name `mark`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in line:
            found.append(line)
    return found
