"""Hostile recipes and settings: a mistake is a RatherError, and checking leaves nothing behind."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rather.cli.api import shipped_recipes
from rather.core import registry
from rather.core.errors import RatherError
from rather.core.overrides import apply_sets
from rather.core.plan import make_plan
from rather.core.recipe_parser import parse_recipe, read_recipe

from . import stages  # noqa: F401  (registers the demo stages)

SHIPPED = {name: path.read_text(encoding="utf-8") for name, path in shipped_recipes().items()}
NUMBER = itertools.count()
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None, "derandomize": True}
short = settings(max_examples=60, **QUIET)
long = settings(max_examples=1500, **QUIET)

ODD = st.sampled_from(
    ["", "~", "..", "\ud800", "\0", "a/b", "${NOT_SET_ANYWHERE}", "${HOME", "x" * 400, "é\n", "1e999", "*"]
)
TEXTS = ODD | st.text(max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.dates() | st.binary(max_size=4)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXTS | st.integers(), v, max_size=3), max_leaves=6
)
KINDS = st.sampled_from(sorted(registry.stages())) | TEXTS


@st.composite
def entries(draw: st.DrawFn) -> Any:
    """A stage of a recipe: known or not, its own options or others, reserved keys with anything in them."""
    kind = draw(KINDS)
    known = list(registry.stages()[kind].model_fields) if kind in registry.stages() else []
    options = draw(st.dictionaries(st.sampled_from(known) if known else TEXTS, VALUES, max_size=3) | VALUES)
    entry: dict[Any, Any] = {kind: options}
    entry |= draw(st.dictionaries(st.sampled_from(["as", "if", "until", "inputs", "loop"]), VALUES, max_size=2))
    return draw(st.just(entry) | st.just(kind) | st.fixed_dictionaries({"loop": VALUES}))


MODELS = st.dictionaries(
    TEXTS, VALUES | st.fixed_dictionaries({"use": st.sampled_from(["static", "fake_text"]) | VALUES})
)
RECIPES = st.fixed_dictionaries(
    {},
    optional={
        "name": VALUES, "seed": VALUES, "max_failed": VALUES, "batch": VALUES, "workers": VALUES,
        "models": MODELS | VALUES, "stages": st.lists(entries(), max_size=5) | VALUES, "other": VALUES,
    },
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, text: bytes) -> bytes:
    """Text with a few bytes cut, doubled, swapped or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(text) - 1)))
        size = draw(st.integers(0, 40))
        part = draw(
            st.sampled_from([b"", text[at : at + size] * 2, b"\xff\x00", b"- ", b": ", b"\n", b"{", b"!!int ''"])
        )
        text = text[:at] + part + text[at + size :]
    return text


@contextlib.contextmanager
def folder(base: Path) -> Iterator[Path]:
    """A new folder that is the working directory for a while."""
    here, made = Path.cwd(), base / f"case{next(NUMBER)}"
    made.mkdir()
    os.chdir(made)
    try:
        yield made
    finally:
        os.chdir(here)


def checked(path: Path) -> None:
    """Read and check a recipe; a mistake must be a RatherError with the exit code of bad input."""
    try:
        make_plan(read_recipe(path))
    except RatherError as error:
        assert error.exit_code == 2
        assert str(error).strip()


def try_recipe(base: Path, text: bytes) -> list[str]:
    """Check a recipe in a folder of its own; what lies there afterwards, by name."""
    with folder(base) as here:
        (here / "recipe.yaml").write_bytes(text)
        checked(here / "recipe.yaml")
        return [p.name for p in here.iterdir()]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@short
@given(RECIPES)
@example({"models": {"a": {"use": ["list"]}}, "stages": ["read.rows"]})
@example({"stages": [{"demo.read": {}, "if": "extra ."}, {"demo.digest": {}, "if": "extra a.b"}]})
@example({"stages": [{"demo.read": {}, "if": False}, "demo.chars", "demo.digest"]})
@example({"stages": [{"demo.read": {}}, {"demo.digest": {}, "if": "not " * 3000 + "gpu"}]})
@example({"name": "..", "stages": ["demo.read"]})
@example({"stages": [{"loop": {"rounds": 100, "stages": [{"loop": {"rounds": 100, "stages": ["demo.read"]}}]}}]})
def test_made_up_recipes(base: Path, recipe: Any) -> None:
    assert try_recipe(base, yaml.safe_dump(recipe, allow_unicode=False).encode()) == ["recipe.yaml"], (
        "checking leaves nothing behind"
    )


@short
@given(st.data())
def test_damaged_recipes(base: Path, data: st.DataObject) -> None:
    text = SHIPPED[data.draw(st.sampled_from(sorted(SHIPPED)))]
    assert try_recipe(base, data.draw(mutated(text.encode()))) == ["recipe.yaml"], "checking leaves nothing behind"


@short
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
@example(b"a: &a [*a, *a]\nstages: [demo.read]")
@example(b"stages: [demo.read: {rows: !!int ''}]")
@example(b"stages: [demo.read: {rows: !!timestamp x}]")
@example(b"\xff\xfe\x00")
@example(b"? [1]\n: 2\nstages: [demo.read]")
def test_bytes_as_recipes(base: Path, text: bytes) -> None:
    assert try_recipe(base, text) == ["recipe.yaml"], "checking leaves nothing behind"


def test_aliases_do_not_multiply_without_end(base: Path) -> None:
    tiers = [f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = "\n".join(["k0: &k0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]", *tiers, "stages: [demo.read]"])
    with folder(base) as here:
        (here / "recipe.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(RatherError, match="more than 100,000 values"):
            make_plan(read_recipe(here / "recipe.yaml"))


TARGETS = ["seed", "name", "batch", "workers", "max_failed", "read.path", "select.fifa.keep", "embed", "models.a.use"]
CHAIN = "stages: [demo.read: {rows: 7}, demo.chars, demo.short, demo.digest]"


@short
@given(st.lists(st.builds("{}={}".format, st.sampled_from(TARGETS) | TEXTS, TEXTS | VALUES.map(repr)), max_size=3))
@example(["seed=abc"])
@example(["batch=0"])
@example(["max_failed=x"])
@example(["name="])
@example(["demo.short.if=[a]"])
@example(["models.a.use=[1]"])
@example(["..=1"])
def test_settings_on_the_command_line(base: Path, sets: list[str]) -> None:
    for text in (SHIPPED["quickstart"], CHAIN):
        with folder(base) as here, contextlib.suppress(RatherError):
            make_plan(apply_sets(parse_recipe(text, "x.yaml"), sets))
            assert not list(here.iterdir())


@pytest.mark.full
@long
@given(RECIPES)
def test_made_up_recipes_at_length(base: Path, recipe: Any) -> None:
    assert try_recipe(base, yaml.safe_dump(recipe, allow_unicode=False).encode()) == ["recipe.yaml"], (
        "checking leaves nothing behind"
    )


@pytest.mark.full
@long
@given(st.data())
def test_damaged_recipes_at_length(base: Path, data: st.DataObject) -> None:
    assert try_recipe(base, data.draw(mutated(SHIPPED[data.draw(st.sampled_from(sorted(SHIPPED)))].encode()))) == [
        "recipe.yaml"
    ], "checking leaves nothing behind"
