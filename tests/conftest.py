"""What every test shares: where the real data is, and a count of what its absence skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

NO_DATA = "RATHER_TEST_DATA is not set"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; skips the test when there is none."""
    folder = os.environ.get("RATHER_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip(NO_DATA)
    return Path(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped, and how much of it for want of data."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons: dict[str, list[str]] = {}
    for report in skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons.setdefault(why.removeprefix("Skipped: "), []).append(report.nodeid)
    for why, names in sorted(reasons.items()):
        terminalreporter.write_line(f"{len(names)} skipped, {why}: {', '.join(names[:6])}" + " …" * (len(names) > 6))
