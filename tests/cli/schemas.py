"""As much of JSON Schema as `rather schema` uses: where a value does not fit."""

from __future__ import annotations

import re
from typing import Any

KINDS: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float),
}  # fmt: skip
TOLD = {"title", "description", "default", "$schema", "$defs", "examples", "format", "discriminator"}


def misfits(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "") -> list[str]:
    """Places and reasons, empty when the value fits; a keyword that is not known here raises."""
    root = root or schema
    found: list[str] = []
    for keyword, rule in schema.items():
        if keyword not in TOLD:
            found += _KEYWORDS[keyword](value, rule, schema, root, at)
    return found


def _ref(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    target = root
    for part in rule.removeprefix("#/").split("/"):
        target = target[part]
    return misfits(value, target, root, at)


def _type(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    kinds = rule if isinstance(rule, list) else [rule]
    fits = any(isinstance(value, KINDS[k]) and (k == "boolean" or not isinstance(value, bool)) for k in kinds)
    return [] if fits else [f"{at}: {value!r} is no {rule}"]


def _any_of(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    return [] if any(not misfits(value, option, root, at) for option in rule) else [f"{at}: {value!r} fits no option"]


def _all_of(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    return [reason for option in rule for reason in misfits(value, option, root, at)]


def _properties(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    known = rule.items() if isinstance(value, dict) else ()
    return [r for name, option in known if name in value for r in misfits(value[name], option, root, f"{at}.{name}")]


def _additional(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    others = sorted(set(value) - set(schema.get("properties", {}))) if isinstance(value, dict) else []
    if rule is False:
        return [f"{at}: {name} is not known" for name in others]
    return [] if rule is True else [r for name in others for r in misfits(value[name], rule, root, f"{at}.{name}")]


def _required(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    return [f"{at}: no {name}" for name in rule if isinstance(value, dict) and name not in value]


def _items(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    items = value[len(schema.get("prefixItems", ())) :] if isinstance(value, list) else []
    if rule is False:
        return [f"{at}: too many"] if items else []
    return [reason for k, item in enumerate(items) for reason in misfits(item, rule, root, f"{at}[{k}]")]


def _prefix(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    pairs = enumerate(zip(value, rule, strict=False)) if isinstance(value, list) else ()
    return [reason for k, (item, option) in pairs for reason in misfits(item, option, root, f"{at}[{k}]")]


def _names(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
    return [r for name in value for r in misfits(name, rule, root, at)] if isinstance(value, dict) else []


def _when(kind: Any, fits: Any) -> Any:
    def look(value: Any, rule: Any, schema: Any, root: Any, at: str) -> list[str]:
        applies = isinstance(value, kind) and (kind is object or not isinstance(value, bool))
        return [f"{at}: {value!r} against {rule!r}"] if applies and not fits(value, rule) else []

    return look


NUMBERS = (int, float)
_KEYWORDS: dict[str, Any] = {
    "$ref": _ref, "type": _type, "anyOf": _any_of, "oneOf": _any_of, "allOf": _all_of, "properties": _properties,
    "additionalProperties": _additional, "required": _required, "items": _items, "prefixItems": _prefix,
    "propertyNames": _names,
    "const": _when(object, lambda v, r: v == r),
    "enum": _when(object, lambda v, r: v in r),
    "minimum": _when(NUMBERS, lambda v, r: v >= r),
    "maximum": _when(NUMBERS, lambda v, r: v <= r),
    "exclusiveMinimum": _when(NUMBERS, lambda v, r: v > r),
    "exclusiveMaximum": _when(NUMBERS, lambda v, r: v < r),
    "minItems": _when(list, lambda v, r: len(v) >= r),
    "maxItems": _when(list, lambda v, r: len(v) <= r),
    "minLength": _when(str, lambda v, r: len(v) >= r),
    "maxLength": _when(str, lambda v, r: len(v) <= r),
    "pattern": _when(str, lambda v, r: re.search(r, v) is not None),
    "uniqueItems": _when(list, lambda v, r: not r or len({repr(i) for i in v}) == len(v)),
}  # fmt: skip
