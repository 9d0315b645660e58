"""The part of JSON Schema that judges are asked by: checking a value, and making the smallest valid one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool) or isinstance(v, float) and v.is_integer(),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "null": lambda v: v is None,
}
_LIMITS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
OFF: Final = "off scale"


def fault_of(value: Any, schema: Mapping[str, Any], at: str = "it", root: Mapping[str, Any] | None = None) -> str:
    """Why `value` does not fit `schema`, empty when it does; begins with `OFF` for a number out of range.

    Known: type, enum, const, properties, required, additionalProperties, items, minItems, maxItems,
    minimum, maximum and their exclusive forms, anyOf, oneOf, $ref within the schema.
    """
    root = root or schema
    if "$ref" in schema:
        return fault_of(value, _target(schema["$ref"], root), at, root)
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            faults = [fault_of(value, option, at, root) for option in schema[kind]]
            return "" if "" in faults else faults[0] if faults else f"{at} fits nothing"
    if "const" in schema and value != schema["const"]:
        return f"{at} must be {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at} must be one of {', '.join(map(repr, schema['enum']))}"
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if kinds and not any(_TYPES.get(kind, lambda _: True)(value) for kind in kinds):
        return f"{at} must be of type {' or '.join(kinds)}"
    if isinstance(value, dict):
        return _object_fault(value, schema, at, root)
    if isinstance(value, list):
        return _list_fault(value, schema, at, root)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number_fault(value, schema, at)
    return ""


def _object_fault(value: Mapping[str, Any], schema: Mapping[str, Any], at: str, root: Mapping[str, Any]) -> str:
    for name in schema.get("required", ()):
        if name not in value:
            return f"{at} has no {name!r}"
    known = schema.get("properties", {})
    for name, item in value.items():
        if name in known:
            fault = fault_of(item, known[name], name, root)
            if fault:
                return fault
        elif schema.get("additionalProperties") is False:
            return f"{at} has an unknown {name!r}"
    return ""


def _list_fault(value: list[Any], schema: Mapping[str, Any], at: str, root: Mapping[str, Any]) -> str:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return f"{at} has {len(value)} items"
    items = schema.get("items", {})
    faults = (fault_of(item, items, f"{at}[{i}]", root) for i, item in enumerate(value))
    return next((fault for fault in faults if fault), "")


def _number_fault(value: float, schema: Mapping[str, Any], at: str) -> str:
    low, high, above, below = (schema.get(name) for name in _LIMITS)
    off = (
        value != value
        or (low is not None and value < low)
        or (high is not None and value > high)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    )
    return f"{OFF}: {at} is {value}" if off else ""


def smallest(schema: Mapping[str, Any], pick: Callable[[str, int], int], at: str = "") -> Any:
    """A valid value; `pick(place, n)` gives the number (0 … n-1) of the choice taken at a place."""
    return _smallest(schema, pick, at, schema)


def _smallest(schema: Mapping[str, Any], pick: Callable[[str, int], int], at: str, root: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _smallest(_target(schema["$ref"], root), pick, at, root)
    for kind in ("anyOf", "oneOf"):
        if schema.get(kind):
            return _smallest(schema[kind][0], pick, at, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][pick(at, len(schema["enum"]))]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "object":
        return {n: _smallest(s, pick, f"{at}.{n}", root) for n, s in schema.get("properties", {}).items()}
    if kind == "array":
        count = schema.get("minItems", 1)
        return [_smallest(schema.get("items", {"type": "string"}), pick, f"{at}[{i}]", root) for i in range(count)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 11) - ("exclusiveMaximum" in schema))
        return low + pick(at, max(1, int(high - low) + 1))
    return {"boolean": pick(at, 2) == 0, "null": None}.get(kind, "word " * (1 + pick(at, 3)) + "said")


def _target(path: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in path.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) and "$ref" not in found else {}
