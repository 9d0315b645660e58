"""Replies that owe an entry for each of n numbered things: their schema, and a reader that counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.paid import Reply
from ..models.readers import read_json
from ..models.verdict import Outcome, Reader, Verdict
from .listing import listed, record


def numbered(**kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of {"items": [{"number": 1, …}]}; `kinds` are the other members of an entry."""
    return listed(record(number={"type": "integer"}, **kinds))


def read_numbered(schema: Mapping[str, Any], n: int) -> Reader:
    """The entries 1 … n in order; unparsable when one is missing or there twice."""
    read = read_json(schema)

    def read_it(reply: Reply) -> Verdict:
        verdict = read(reply)
        if not verdict.ok:
            return verdict
        entries = sorted(verdict.value["items"], key=lambda entry: entry["number"])
        if [entry["number"] for entry in entries] != list(range(1, n + 1)):
            return Verdict(Outcome.UNPARSABLE, why=f"not one entry for each of {n}")
        return Verdict(Outcome.OK, entries)

    return read_it
