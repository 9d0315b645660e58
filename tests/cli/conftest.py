"""The console script in this process, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rather.cli.main import main

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
