"""The documents are run: marked blocks of the README, the example of a gate, the table of stages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MARKED = re.compile(r"<!-- run(?: (?P<name>[\w-]+))? -->\s*```(?P<language>bash|python)\n(?P<code>.*?)```", re.DOTALL)
FENCED = re.compile(r"```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL)


class Block(NamedTuple):
    """A piece of a document that is run."""

    line: int
    language: str
    code: str


def marked_blocks(text: str) -> list[Block]:
    """Fenced bash and python blocks that stand directly under `<!-- run -->`."""
    return [
        Block(text[: match.start()].count("\n") + 1, match["language"], textwrap.dedent(match["code"]))
        for match in MARKED.finditer(text)
    ]


def environment(home: Path) -> dict[str, str]:
    """What a new user has: the program on the path, an empty home, no key."""
    home.mkdir(parents=True, exist_ok=True)
    passed = {k: v for k, v in os.environ.items() if k in ("PYTHONPATH", "OMP_NUM_THREADS", "LANG")}
    path = os.pathsep.join([str(BIN), "/usr/local/bin", "/usr/bin", "/bin"])
    return passed | {"PATH": path, "HOME": str(home), "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}


def run_block(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one block in a folder that earlier blocks of the same document left."""
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    return subprocess.run(
        [*command, block.code], cwd=folder, env=environment(folder.parent / "home"),
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip


def run_document(text: str, folder: Path) -> int:
    """Run every marked block of a document in order; how many there were."""
    folder.mkdir()
    blocks = marked_blocks(text)
    for block in blocks:
        done = run_block(block, folder)
        assert done.returncode == 0, f"line {block.line}:\n{block.code}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    return len(blocks)


def test_the_harness_sees_what_fails(tmp_path: Path) -> None:
    shell = "<!-- run -->\n```bash\necho one > made\n```\n\n```bash\nexit 3\n```\n"
    good = shell + "<!-- run -->\n```python\nopen('made').read()\n```"
    assert run_document(good, tmp_path / "good") == 2
    with pytest.raises(AssertionError, match="line 1:"):
        run_document("<!-- run -->\n```bash\nfalse | cat\n```", tmp_path / "pipe")
    with pytest.raises(AssertionError, match="line 3:"):
        run_document("\n\n<!-- run -->\n```python\nimport nothing_such\n```", tmp_path / "python")
    with pytest.raises(AssertionError, match="line 1:"):
        run_document("<!-- run -->\n```bash\nrather run quickstrat\n```", tmp_path / "program")


@pytest.mark.full
@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_marked_blocks_of_the_documents(name: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert run_document(text, tmp_path / "work") == text.count("<!-- run"), "a marker stands above no block"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_python_in_the_documents_compiles(name: str) -> None:
    for match in FENCED.finditer((ROOT / name).read_text(encoding="utf-8")):
        if match["language"] == "python":
            compile(textwrap.dedent(match["code"]), name, "exec")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "CHANGELOG.md"])
def test_links_inside_the_repository_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text)
    assert [t for t in targets if not ((ROOT / name).parent / t).exists()] == []


def rather(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rather", *words], cwd=folder, env=environment(folder / "home"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_gate_of_the_contributing_page_works(tmp_path: Path) -> None:
    """Written to a file it is listed, described to editors, and drops the row it should."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = (m["code"] for m in FENCED.finditer(text) if m["language"] == "python" and "@register" in m["code"])
    (name,) = re.findall(r'@register\("([\w.]+)"\)', code)
    assert len([line for line in code.split("@final")[1].splitlines() if line.strip()]) <= 15, "at most 15 lines"
    (tmp_path / "shouting.py").write_text(code, encoding="utf-8")
    rows = [("Why?", "Because it is so.", "no"), ("How?", "LIKE THIS!", "so"), ("When?", "At SEVEN.", "never")]
    lines = [json.dumps(dict(zip(("prompt", "chosen", "rejected"), row, strict=True))) for row in rows]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(
        f"stages:\n  - read.pairs: {{path: pairs.jsonl}}\n  - {name}\n  - write.parquet: {{path: data}}",
        encoding="utf-8",
    )
    plugin = ("--plugin", "shouting.py")
    assert name in rather(tmp_path, "list", *plugin)
    assert f'"{name}"' in rather(tmp_path, "schema", *plugin)
    told = json.loads(rather(tmp_path, "run", "recipe.yaml", *plugin, "--json", "--out", "run").splitlines()[-1])
    assert told["dropped"] == {name: 1} and told["rows_out"] == 2
    from rather.core.registry import load_plugin
    from rather.core.runs import open_run

    load_plugin(tmp_path / "shouting.py")
    entry = open_run(tmp_path / "run").dropped(name).to_pylist()[0]
    assert (entry["place"]["row"], entry["reason"]) == (1, "shouting")


def test_the_table_of_stages_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
