"""The console script in this process, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rather.cli.main import main

PAIRS = "".join(f'{{"prompt": "q {k}", "chosen": "yes {k}", "rejected": "no"}}\n' for k in range(9))
Door = Callable[..., tuple[int, str, str]]


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Door:
    """Runs a command line in an empty folder; (exit code, standard output, standard error), never a traceback."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        told = capsys.readouterr()
        assert "Traceback" not in told.err and "bug of ours" not in told.err, told.err
        return int(stop.value.code or 0), told.out, told.err

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for a test, with a file of pairs in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.jsonl").write_text(PAIRS, encoding="utf-8")
    return tmp_path
