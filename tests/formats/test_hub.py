"""Push and pull against a Hub in this process; clients run in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError, RunError
from rather.formats.hub import push, repo_fault
from rather.formats.write_hub import WriteHub
from rather.formats.write_parquet import WriteParquet

from ..fake_hub import Hub
from ..frames import SinkContext, TableFrame, View, pairs

TOKEN = "hf_planted0123456789abcdef"
PUSH = """
import sys
from rather.formats.hub import push
print(push(sys.argv[1], sys.argv[2], private=sys.argv[3] == "private"))
"""
PULL = "import sys; from rather.formats.hub import pull; print(pull(sys.argv[1], sys.argv[2]))"
LOAD = (
    "import json, sys; from datasets import load_dataset; "
    "print(json.dumps({k: list(v) for k, v in load_dataset(sys.argv[1]).items()}))"
)
SHOWN = """
import sys
from rather.core.errors import RatherError
try:
    exec(sys.argv.pop(1))
except RatherError as error:
    sys.exit(error.show())
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(token=TOKEN) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = pairs([f"q{k}" for k in range(60)], [f"a{k}" for k in range(60)], [f"b{k}" for k in range(60)])
    WriteParquet(rows_per_file=10, test=0.2).sink(TableFrame(table), SinkContext.at(tmp_path))
    return tmp_path / "data"


def client(
    hub: Hub, home: Path, code: str, *words: object, token: str | None = TOKEN, xet: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run code as a user would, in a clean home, against the Hub in this process."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    known = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HOME": str(home)}
    known |= {"HF_TOKEN": token} if token else {}
    known |= {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", SHOWN, code, *map(str, words)]
    return subprocess.run(command, env=kept | known, capture_output=True, text=True, timeout=120, check=False)


def rows_of(folder: Path, split: str) -> list[dict]:
    return [row for file in sorted((folder / "data").glob(f"{split}-*")) for row in pq.read_table(file).to_pylist()]


@pytest.mark.parametrize("xet", [False, True])
def test_pushed_rows_come_back_equal(hub: Hub, folder: Path, tmp_path: Path, xet: bool) -> None:
    sent = client(hub, tmp_path / "home", PUSH, folder, "tester/pairs", "private", xet=xet)
    assert sent.returncode == 0, sent.stderr
    assert f"{hub.url}/datasets/tester/pairs (private)" in sent.stdout
    assert hub.dataset("tester/pairs").private
    loaded = client(hub, tmp_path / "other", LOAD, "tester/pairs")
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout) == {split: rows_of(folder, split) for split in ("train", "test")}
    pulled = client(hub, tmp_path / "third", PULL, "tester/pairs", tmp_path / "pulled")
    assert pulled.returncode == 0, pulled.stderr
    for file in folder.rglob("*.*"):
        assert (tmp_path / "pulled" / file.relative_to(folder)).read_bytes() == file.read_bytes()


def test_an_interrupted_push_goes_on(hub: Hub, folder: Path, tmp_path: Path) -> None:
    files = len(list((folder / "data").iterdir()))
    hub.refuse_after = 3
    broken = client(hub, tmp_path / "home", PUSH, folder, "tester/pairs", "private")
    assert broken.returncode == 1 and "the Hub answered 413" in broken.stderr and "Traceback" not in broken.stderr
    assert len(hub.blobs) == 3 and not hub.dataset("tester/pairs").files
    hub.refuse_after = None
    hub.calls.clear()
    whole = client(hub, tmp_path / "home", PUSH, folder, "tester/pairs", "private")
    assert whole.returncode == 0, whole.stderr
    assert len(hub.uploads()) == files - 3
    hub.calls.clear()
    assert client(hub, tmp_path / "home", PUSH, folder, "tester/pairs", "private").returncode == 0
    assert not hub.uploads()


def test_shards_of_an_earlier_push_go_and_other_files_stay(hub: Hub, folder: Path, tmp_path: Path) -> None:
    assert client(hub, tmp_path / "home", PUSH, folder, "pairs", "public").returncode == 0
    repo = hub.dataset("tester/pairs")
    assert not repo.private
    repo.put("notes.txt", b"mine", large=False)
    repo.put("data/other.parquet", b"mine", large=True)
    table = pairs(["q"], ["a"], ["b"])
    WriteParquet().sink(TableFrame(table), SinkContext.at(tmp_path))
    assert client(hub, tmp_path / "home", PUSH, folder, "pairs", "public").returncode == 0
    kept = ["README.md", "data/other.parquet", "data/train-00000-of-00001.parquet", "notes.txt"]
    assert sorted(repo.files) == kept


def test_the_token_is_written_nowhere(hub: Hub, folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = [
        client(hub, home, PUSH, folder, "tester/pairs", "private", xet=True),
        client(hub, home, PULL, "tester/pairs", tmp_path / "pulled"),
        client(hub, home, PULL, "tester/none", tmp_path / "none"),
        client(hub, home, PUSH, folder, "someone/else", "private"),
    ]
    assert [result.returncode for result in done] == [0, 0, 1, 1]
    assert all(TOKEN not in result.stdout + result.stderr for result in done)
    searched = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(searched) > 10
    assert not [path for path in searched if TOKEN.encode() in path.read_bytes()]
    assert all(TOKEN.encode() not in content for content in hub.dataset("tester/pairs").files.values())


@pytest.mark.parametrize(
    ("token", "repo", "said"),
    [
        (None, "tester/pairs", "no Hugging Face token; set HF_TOKEN"),
        ("hf_wrong_wrong_wrong", "tester/pairs", "does not accept the token"),
        (TOKEN, "someone/pairs", "may not do this; use a token that may write there"),
        (TOKEN, "a/b/c", "is no repository name; write owner/name"),
    ],
)
def test_refusals_say_what_to_do(
    hub: Hub, folder: Path, tmp_path: Path, token: str | None, repo: str, said: str
) -> None:
    result = client(hub, tmp_path / "home", PUSH, folder, repo, "private", token=token)
    assert result.returncode == 1 and said in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr and not hub.repos


def test_no_network_and_no_repository(hub: Hub, folder: Path, tmp_path: Path) -> None:
    missing = client(hub, tmp_path / "home", PULL, "tester/none", tmp_path / "x")
    assert "no such repository" in missing.stderr
    hub.url = "http://127.0.0.1:9"
    unreachable = client(hub, tmp_path / "home", PUSH, folder, "tester/pairs", "private")
    assert unreachable.returncode == 1 and "cannot reach http://127.0.0.1:9" in unreachable.stderr
    assert "Traceback" not in unreachable.stderr


def test_a_dry_run_asks_nobody(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x").write_text("x")
    shown = push(folder, "tester/pairs", dry_run=True)
    assert not hub.calls and not shown.sent and shown.private
    names = [name for name, _ in shown.files]
    assert names[0] == "README.md" and names[1].startswith("data/test-00000-of-") and len(names) > 2
    assert shown.bytes == sum(p.stat().st_size for p in folder.rglob("*.*") if p.is_file() and ".cache" not in p.parts)
    assert "# small" in str(shown) and "would go to" in str(shown)


def test_a_folder_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Parquet file"):
        push(tmp_path, "a/b", dry_run=True)
    with pytest.raises(InputError, match="no such folder"):
        push(tmp_path / "none", "a/b", dry_run=True)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a/b", True),
        ("b", True),
        ("a/b/c", False),
        ("a b", False),
        ("", False),
        ("a/-b", False),
        ("a/b.git", False),
        ("a--b", False),
    ],
)
def test_repository_names(name: str, good: bool) -> None:
    assert (repo_fault(name) is None) == good


def test_the_stage_sends_what_was_written_last(folder: Path, tmp_path: Path) -> None:
    facts = {"write.parquet": {"path": str(folder), "card": "x"}, "report": {"path": "elsewhere"}}
    context = SinkContext.at(tmp_path, view=View(facts=facts))
    stage = WriteHub(repo="tester/pairs", dry_run=True)
    assert stage.faults() == []
    found = stage.sink(TableFrame(pairs(["q"], ["a"], ["b"])), context)
    assert found["repo"] == "tester/pairs" and found["private"] and not found["sent"] and found["files"] > 5
    with pytest.raises(RunError, match=r"put write\.parquet before it"):
        stage.sink(TableFrame(pairs(["q"], ["a"], ["b"])), SinkContext.at(tmp_path))


def test_the_stage_wants_a_token_before_anything_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rather.formats.hub._found_token", lambda: None)
    assert "no Hugging Face token" in WriteHub(repo="tester/pairs").faults()[0]
    assert "no repository name" in WriteHub(repo="x y", dry_run=True).faults()[0]
