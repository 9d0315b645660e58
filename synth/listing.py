"""JSON Schemas of replies that are lists, and the reading of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TEXT: Final[Mapping[str, Any]] = {"type": "string"}


def listed(item: Mapping[str, Any] = TEXT, *, least: int = 1) -> dict[str, Any]:
    """Schema of {"items": […]} with `least` items or more."""
    return record(items={"type": "array", "items": dict(item), "minItems": least})


def record(**kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of an object, all of whose members are required."""
    return {"type": "object", "properties": dict(kinds), "required": list(kinds)}


def one_of(*words: str) -> dict[str, Any]:
    """Schema of one of these words."""
    return {"type": "string", "enum": list(words)}


def texts_in(reply: Mapping[str, Any]) -> list[str]:
    """The texts of a `listed` reply, without empty ones and repeats."""
    return list(dict.fromkeys(text.strip() for text in reply["items"] if text.strip()))
