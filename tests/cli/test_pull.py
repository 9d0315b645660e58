"""`rather pull`: a dataset from a Hub in this process, by the console script in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ..fake_hub import Hub
from ..fake_repo import Repo

TOKEN = "hf_planted0123456789abcdef"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A Hub with one public and one private dataset of two splits."""
    with Hub(token=TOKEN) as running:
        for name, private in (("tester/pairs", False), ("tester/secret", True)):
            repo = Repo(private)
            repo.put("README.md", b"---\nlicense: mit\n---\n", large=False)
            for split, n in (("train", 5), ("test", 2)):
                rows = [{"prompt": f"{split} {k}", "chosen": "a", "rejected": "b"} for k in range(n)]
                pq.write_table(pa.Table.from_pylist(rows), tmp_path / "made.parquet")
                repo.put(f"data/{split}-00000-of-00001.parquet", (tmp_path / "made.parquet").read_bytes(), large=True)
            running.repos["datasets", name] = repo
        yield running


def rather(hub: Hub, home: Path, *words: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    """The console script in `home`, which is all it knows, against the Hub in this process."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    known = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1", "HOME": str(home)}
    known |= {"HF_HUB_DISABLE_XET": "1"} | ({"HF_TOKEN": token} if token else {})
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "rather", *words]
    done = subprocess.run(
        command, env=kept | known, cwd=home, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert "Traceback" not in done.stderr and TOKEN not in done.stdout + done.stderr
    return done


def test_a_dataset_is_pulled_then_exported(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = rather(hub, home, "pull", "tester/pairs")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pairs: 3 files, ") and done.stdout.endswith("splits: train, test\n")
    for path, content in hub.dataset("tester/pairs").files.items():
        assert (home / "pairs" / path).read_bytes() == content
    hub.calls.clear()
    again = rather(hub, home, "pull", "hf://datasets/tester/pairs", "--json")
    facts = json.loads(again.stdout)
    assert (facts["path"], facts["files"], facts["splits"], facts["readable"]) == ("pairs", 3, ["train", "test"], True)
    assert not [path for method, path, _ in hub.calls if method == "GET" and "/resolve/" in path]
    out = rather(hub, home, "export", "pairs", "--to", "trl_kto", "-o", "kto")
    assert (out.returncode, out.stdout) == (0, "kto: trl_kto, text; rows: train 10, test 4\n"), out.stderr


def test_a_hub_id_is_exported_with_all_its_splits(hub: Hub, tmp_path: Path) -> None:
    done = rather(hub, tmp_path / "home", "export", "tester/pairs", "--to", "trl_sft", "-o", "sft")
    assert (done.returncode, done.stdout) == (0, "sft: trl_sft, text; rows: train 5, test 2\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "token", "code", "told"),
    [
        (["tester/pars"], TOKEN, 2, "pull tester/pars: no such repository or revision; check the name"),
        (["tester/secret"], None, 2, "pull tester/secret: the Hub does not accept the token"),
        (["tester/secret"], "hf_wrong0123456789abcdefg", 2, "the Hub does not accept the token; set HF_TOKEN"),
        (["pairs"], TOKEN, 2, "pairs names no owner; write owner/name"),
        (["a/b/c"], TOKEN, 2, "'a/b/c' is no repository name"),
        (["tester/pairs", "-o", "full"], TOKEN, 2, "full: the folder holds mine.txt, which was not pulled"),
        (["tester/pairs", "-o", "full/mine.txt"], TOKEN, 2, "full/mine.txt: this is a file"),
    ],
)
def test_a_mistake_is_one_message(
    hub: Hub, tmp_path: Path, words: list[str], token: str | None, code: int, told: str
) -> None:
    home = tmp_path / "home"
    (home / "full").mkdir(parents=True)
    (home / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    done = rather(hub, home, "pull", *words, token=token)
    assert (done.returncode, done.stdout) == (code, "") and told in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in (home / "full").iterdir()] == ["mine.txt"]


def test_a_hub_that_cannot_be_reached_is_told_of(tmp_path: Path) -> None:
    with Hub(token=TOKEN) as gone:
        pass
    done = rather(gone, tmp_path / "home", "pull", "tester/pairs")
    assert done.returncode == 1 and "cannot reach" in done.stderr and done.stderr.count("\n") == 1
