"""`rather schema`: JSON Schema of recipes, so that editors complete and check them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from ..core import registry
from .show import first_sentence

_LOOP: Final = {
    "type": "object",
    "properties": {
        "rounds": {"type": "integer", "minimum": 1, "maximum": 100}, "stages": {"$ref": "#/$defs/stages"}
    },
    "required": ["rounds", "stages"],
    "additionalProperties": False,
}  # fmt: skip


def print_schema(plugins: Sequence[str]) -> None:
    """Print the schema of a recipe file, every known stage and model in it."""
    for plugin in plugins:
        registry.load_plugin(plugin)
    print(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))


def recipe_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a recipe."""
    definitions: dict[str, Any] = {}
    entries = [_stage_entry(name, cls, definitions) for name, cls in registry.stages().items()]
    models = [_model_entry(use, spec, definitions) for use, spec in registry.models().items()]
    entries.append(
        {"type": "object", "properties": {"loop": _LOOP}, "required": ["loop"], "additionalProperties": False}
    )
    entries.append({"type": "string", "enum": list(registry.stages())})
    definitions["stages"] = {"type": "array", "items": {"anyOf": entries}, "minItems": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rather recipe",
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Names the run folder."},
            "seed": {"type": "integer", "minimum": 0, "description": "All chance comes from it.", "default": 0},
            "max_failed": {"type": ["integer", "number"], "description": "Most failed rows of a stage, or share."},
            "batch": {"type": "integer", "minimum": 1},
            "workers": {"type": "integer", "minimum": 1},
            "models": {"type": "object", "additionalProperties": {"anyOf": models}},
            "stages": {"$ref": "#/$defs/stages"},
        },
        "required": ["stages"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _stage_entry(name: str, cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    reserved = {
        "as": {"type": "string"},
        "if": {"type": ["string", "boolean"]},
        "until": {"type": "object", "properties": {"rows": {"type": "integer", "minimum": 1}}, "required": ["rows"]},
        "inputs": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
    }
    return {
        "type": "object",
        "properties": {name: {"anyOf": [_options(cls, definitions), {"type": "null"}]}, **reserved},
        "required": [name],
        "additionalProperties": False,
    }


def _model_entry(use: str, spec: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    options = _options(spec, definitions)
    options["properties"] = {"use": {"const": use}, **options.get("properties", {})}
    options["required"] = ["use", *options.get("required", [])]
    return options


def _options(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = cls.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(schema.pop("$defs", {}))
    schema["description"] = first_sentence(cls)
    schema.pop("title", None)
    return schema
