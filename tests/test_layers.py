"""The rule of imports, read off the syntax trees, and what starting the package may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
BELOW = {
    "core": {"core"},
    "models": {"models", "core"},
    "formats": {"formats", "core"},
    "synth": {"synth", "models", "formats", "core"},
    "filters": {"filters", "models", "formats", "core"},
    "train": {"train", "models", "formats", "core"},
    "cli": {"cli", "synth", "filters", "train", "models", "formats", "core", "recipes"},
    "recipes": {"recipes"},
}
NEURAL = {"torch", "transformers", "diffusers", "open_clip", "torchvision", "accelerate", "peft", "trl"}
CLIENTS = {"aiohttp", "httpx", "requests", "urllib3"}
WEIGHTY = {"datasets", "pandas", "duckdb", "sklearn", "onnxruntime", "PIL", "jinja2", "huggingface_hub"}
HEAVY = NEURAL | CLIENTS | WEIGHTY
CORE_MAY = {"numpy", "pyarrow", "pydantic", "pydantic_core", "yaml", "duckdb", "jinja2"}


class Import(NamedTuple):
    """One import: who, where, what, how far up, and whether it waits for a call."""

    file: str
    line: int
    module: str
    level: int
    late: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'.' * self.level}{self.module}"


class Reader(ast.NodeVisitor):
    """Collects the imports of a file; those under `if TYPE_CHECKING:` count as late."""

    def __init__(self, file: str) -> None:
        self.file, self.depth, self.found = file, 0, list[Import]()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:  # noqa: N802
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_If(self, node: ast.If) -> None:  # noqa: N802
        typing_only = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        self.depth += typing_only
        for child in node.body:
            self.visit(child)
        self.depth -= typing_only
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:  # noqa: N802
        self.found += [Import(self.file, node.lineno, a.name, 0, self.depth > 0) for a in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802
        names = [node.module] if node.module else [a.name for a in node.names]
        self.found += [Import(self.file, node.lineno, name, node.level, self.depth > 0) for name in names]


def package_files() -> Iterator[Path]:
    """Every Python file that is part of the package."""
    yield from ROOT.glob("*.py")
    for room in BELOW:
        yield from sorted((ROOT / room).rglob("*.py"))


def imports_of(text: str, file: str) -> list[Import]:
    """All imports of one file's text."""
    reader = Reader(file)
    reader.visit(ast.parse(text))
    return reader.found


def all_imports() -> list[Import]:
    """All imports of the package."""
    found = []
    for path in package_files():
        found += imports_of(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    return found


def upward(entry: Import) -> bool:
    """True when a relative import leaves its room for one that is not below it."""
    parts = entry.file.split("/")
    if entry.level == 0 or len(parts) == 1:
        return False
    home = parts[:-1]
    target = [*home[: len(home) - entry.level + 1], *entry.module.split(".")]
    outside = len(home) < entry.level - 1
    return outside or (target[0] not in BELOW[parts[0]] and target != ["__version__"])


def absolute(entry: Import) -> bool:
    """True when the package is imported by its own name instead of relatively."""
    return entry.level == 0 and entry.module.split(".")[0] == "rather"


def misplaced(entry: Import) -> bool:
    """True for a neural library or an HTTP client outside models/ and train/, or outside a function."""
    if entry.level or entry.module.split(".")[0] not in NEURAL | CLIENTS:
        return False
    return entry.file.split("/")[0] not in ("models", "train") or not entry.late


def too_early(entry: Import) -> bool:
    """True for a heavy library imported at module level."""
    return not entry.level and not entry.late and entry.module.split(".")[0] in HEAVY


def foreign_to_core(entry: Import) -> bool:
    """True for a library that core/ does without."""
    top = entry.module.split(".")[0]
    known = top in CORE_MAY or top in sys.stdlib_module_names
    return entry.file.startswith("core/") and not entry.level and not known


@pytest.mark.parametrize("broken", [upward, absolute, misplaced, too_early, foreign_to_core])
def test_the_rule_of_imports(broken) -> None:  # type: ignore[no-untyped-def]
    assert [str(entry) for entry in all_imports() if broken(entry)] == []


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("core/a.py", "from ..filters import rules", upward),
        ("core/a.py", "def f():\n    from .. import formats", upward),
        ("filters/a.py", "from ..synth.corrupt import Corrupt", upward),
        ("filters/a.py", "from ...elsewhere import x", upward),
        ("models/a.py", "from ..formats import report", upward),
        ("filters/a.py", "from rather.core.row import ANSWER", absolute),
        ("filters/a.py", "def f():\n    import torch", misplaced),
        ("models/a.py", "import torch.nn", misplaced),
        ("models/a.py", "try:\n    import aiohttp\nexcept ImportError:\n    raise", misplaced),
        ("formats/a.py", "import pandas as pd", too_early),
        ("cli/a.py", "class A:\n    from sklearn import svm", too_early),
        ("core/a.py", "def f():\n    import sklearn", foreign_to_core),
    ],
)
def test_the_rule_sees_what_breaks_it(file: str, line: str, broken) -> None:  # type: ignore[no-untyped-def]
    assert any(broken(entry) for entry in imports_of(line, file))


def test_the_root_holds_no_other_python() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "__main__.py"]


def loaded_by(code: str) -> set[str]:
    """Top-level modules present after running code in a fresh interpreter."""
    probe = f"{code}\nimport sys\nprint('LOADED', *{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd="/")
    return set(done.stdout.rsplit("LOADED", 1)[1].split())


def test_import_and_help_are_light() -> None:
    heavy = HEAVY | {"pyarrow", "numpy", "pydantic", "rich", "safetensors", "tokenizers"}
    assert loaded_by("import rather") & heavy == set()
    ask_help = "from rather.cli.main import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert loaded_by(ask_help) & (heavy - {"rich"}) == set()


def test_knowing_every_stage_loads_nothing_heavy() -> None:
    """The registry imports every module of every room: none may pull a heavy library in."""
    light = {"requests", "urllib3"}  # the standard parts of an environment may have loaded these themselves
    assert loaded_by("from rather.core import registry\nregistry.stages()") & (HEAVY - light) == set()


def test_public_names_are_there() -> None:
    import rather

    assert all(getattr(rather, name) is not None for name in rather.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing_such'"):
        rather.nothing_such  # noqa: B018
