"""What every registered stage and model owes its users, checked on the classes and on small runs."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rather.core import registry
from rather.core.declared import Column, ModelOf
from rather.core.errors import InputError, RecipeError
from rather.core.plan import make_plan
from rather.core.recipe_parser import parse_recipe
from rather.core.row import COLUMNS
from rather.core.secrets import is_secret_name
from rather.core.stage import SHAPES, Stage
from rather.core.view import RunView

from .contract_rows import OPTIONS, ROWS, fake_rows
from .runs import run_text

OURS = re.compile(r"rather\.(?!tests\.)")
STAGES = {name: cls for name, cls in registry.stages().items() if OURS.match(cls.__module__)}
MODELS = {use: spec for use, spec in registry.models().items() if OURS.match(spec.__module__)}
FAKES = {
    "text_encoder": "fake_text", "image_encoder": "fake_image", "chat": "fake_chat", "painter": "fake_painter",
    "image_text_encoder": "fake_image_text", "image_text_matcher": "fake_image_text", "patch_encoder": "fake_patches",
    "image_reward": "fake_image_reward", "detector": "fake_detector", "captioner": "fake_captioner",
    "reward_model": "fake_reward", "causal_lm": "fake_causal_lm", "style_encoder": "fake_style",
    "image_rating": "fake_image_rating",
}  # fmt: skip
TRIED = [name for name, cls in STAGES.items() if cls.shape in ("gate", "score", "select", "fit")]
TEMPLATE = re.compile(r"(\{[a-z_]+\}|[a-z0-9_])+\??")
GIVEN: dict[type, Any] = {str: "margin", int: 7, float: 0.5, bool: True}

every_stage = pytest.mark.parametrize("name", STAGES)


def sample(name: str) -> dict[str, Any]:
    """Options for one stage: required ones by their type, models replaced by fakes."""
    options: dict[str, Any] = {}
    for option, info in STAGES[name].model_fields.items():
        kinds = [mark.kind for mark in info.metadata if isinstance(mark, ModelOf)]
        if kinds and FAKES.get(kinds[0]) in MODELS:
            options[option] = FAKES[kinds[0]]
        elif info.is_required() and info.annotation in GIVEN:
            options[option] = GIVEN[info.annotation]
        elif info.is_required() and get_origin(info.annotation) in (tuple, list):
            options[option] = [GIVEN[get_args(info.annotation)[0]]]
    return options | OPTIONS.get(name, {})


def made(name: str) -> Stage:
    """The stage with sample options; skips where a required option has a type of its own."""
    try:
        return STAGES[name](**sample(name))
    except ValueError as error:
        pytest.skip(f"{name} needs options of its own: {str(error).splitlines()[1]}")


@every_stage
def test_a_stage_says_what_it_is(name: str) -> None:
    cls = STAGES[name]
    assert re.fullmatch(r"[a-z]+\.[a-z][a-z0-9_]*", name)
    assert (cls.__dict__.get("__doc__") or "").strip(), "a docstring of its own"
    assert cls.paper.strip()
    assert cls.__base__ in SHAPES and getattr(cls, "__final__", False), "a final child of one shape"
    assert not cls.needs or cls.extra, "modules that are needed come with an extra"
    assert getattr(cls, "version", 0) >= 1


@every_stage
def test_every_option_is_told(name: str) -> None:
    untold = [option for option, info in STAGES[name].model_fields.items() if not (info.description or "").strip()]
    assert untold == []
    schema = STAGES[name].model_json_schema()
    assert set(schema.get("properties", {})) == set(STAGES[name].model_fields)
    assert all(entry.get("description") for entry in schema.get("properties", {}).values())


@every_stage
def test_the_columns_are_well_formed(name: str) -> None:
    cls = STAGES[name]
    for template in [*cls.reads, *(c if isinstance(c, str) else c.name for c in cls.writes)]:
        assert TEMPLATE.fullmatch(template), template
        for field in re.findall(r"\{(.+?)\}", template):
            assert hasattr(cls, field) or field in cls.model_fields, f"{template} names no option"
    for column in cls.writes:
        if isinstance(column, str):
            assert column in COLUMNS, f"{column} is written without a type"
        else:
            assert column.doc or column.name in COLUMNS, f"{column.name} has no description"
            assert column.type is not None or column.name in COLUMNS or column.name.endswith("_vector"), column.name


@every_stage
def test_a_stage_is_data(name: str) -> None:
    stage = made(name)
    assert type(stage)(**stage.model_dump()) == stage
    assert type(stage).model_validate_json(stage.model_dump_json()) == stage
    assert pickle.loads(pickle.dumps(stage)) == stage
    for option in type(stage).model_fields:
        with pytest.raises(ValueError, match="frozen"):
            setattr(stage, option, None)
    with pytest.raises(ValueError, match="no_such_option"):
        type(stage)(**sample(name), no_such_option=1)
    assert all(isinstance(column, str) and column for column in stage.columns_read())
    assert all(isinstance(column, Column) for column in stage.columns_written())


@pytest.mark.parametrize("name", [n for n, cls in STAGES.items() if cls.shape in ("gate", "select")])
def test_what_decides_has_no_model_and_writes_nothing(name: str) -> None:
    marks = [mark for info in STAGES[name].model_fields.values() for mark in info.metadata]
    assert not [mark for mark in marks if isinstance(mark, ModelOf)]
    assert STAGES[name].writes == ()


@pytest.mark.parametrize("name", [n for n, cls in STAGES.items() if cls.shape in ("score", "fit")])
def test_every_number_says_which_direction_is_better(name: str) -> None:
    assert STAGES[name].writes, "a measure writes columns"
    for column in STAGES[name].writes:
        if isinstance(column, str):
            continue
        kind = column.type or COLUMNS.get(column.name)
        number = kind is not None and (pa.types.is_floating(kind) or pa.types.is_signed_integer(kind))
        if number and (STAGES[name].shape == "score" or pa.types.is_floating(kind)):
            assert column.better, f"{column.name}: higher, lower or neither?"
        assert column.low is None or column.high is None or column.low < column.high, column.name


@pytest.mark.parametrize("use", MODELS)
def test_a_model_says_what_it_is(use: str) -> None:
    spec = MODELS[use]
    assert (spec.__dict__.get("__doc__") or "").strip() and spec.kind and getattr(spec, "__final__", False)
    assert [n for n, info in spec.model_fields.items() if not (info.description or "").strip()] == []
    secret = {n for n, info in spec.model_fields.items() if is_secret_name(n) and "str" in str(info.annotation).lower()}
    assert secret <= spec.unkeyed, "a secret does not decide an answer"
    assert spec.unkeyed <= set(spec.model_fields)
    assert spec.model_json_schema()["type"] == "object"


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(fake_rows(), path)
    return path


def outcome(view: RunView, name: str) -> Mapping[str, Any]:
    """What a stage did: its columns, whose rows went and why, and whose failed."""
    kept = view.frame(name)
    written = [column.name for column in view.plan.node(name).stage.columns_written()]
    return {
        "rows": kept.table(["id", *written]).to_pylist(),
        "types": [str(kept.schema.field(column).type) for column in written],
        "dropped": view.dropped(name).to_pylist(),
        "failed": view.failed(name).to_pylist(),
    }


@pytest.mark.parametrize("name", TRIED)
def test_the_same_rows_whatever_the_batch(name: str, rows_file: Path, tmp_path: Path) -> None:
    stages = [{"demo.rows": {"file": str(rows_file)}}, {name: sample(name)}]
    text = yaml.safe_dump({"name": "one", "seed": 4, "stages": stages})
    try:
        make_plan(parse_recipe(text))
    except RecipeError as error:
        pytest.skip(f"not on these rows: {error.faults[0].cause}")
    try:
        whole = run_text(text, tmp_path / "whole", batch=1000)
    except InputError as error:
        pytest.skip(f"not on these rows: {error.cause}")
    count = whole.funnel[-1]
    assert count.rows_in == ROWS == count.rows_out + sum(count.dropped.values()) + count.failed
    found = outcome(whole, name)
    assert len(found["rows"]) + len(found["dropped"]) + len(found["failed"]) == ROWS
    assert count.failed < ROWS // 2, found["failed"][:1]
    asks = any(registry.models()[m].paid for m in whole.plan.node(name).stage.models_named() if m in registry.models())
    for batch in (1, 7) if STAGES[name].shape in ("gate", "score") and not asks else (7,):
        assert outcome(run_text(text, tmp_path / f"by{batch}", batch=batch, workers=3), name) == found


def test_most_stages_were_tried(rows_file: Path) -> None:
    """The fake rows must be enough for most stages, or the test above would prove little."""
    able = []
    for name in TRIED:
        stages = [{"demo.rows": {"file": str(rows_file)}}, {name: sample(name)}]
        try:
            make_plan(parse_recipe(yaml.safe_dump({"stages": stages})))
            able.append(name)
        except RecipeError:
            continue
    assert len(able) >= 0.85 * len(TRIED), sorted(set(TRIED) - set(able))


def test_no_stage_takes_options_it_does_not_name() -> None:
    for name, cls in STAGES.items():
        method = next(m for m in ("batches", "map", "score", "fit", "why_drop", "select", "sink") if hasattr(cls, m))
        kinds = {p.kind for p in inspect.signature(getattr(cls, method)).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, name
