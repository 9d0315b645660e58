"""What decides how good an answer to a prompt is, listed from the prompt alone: the causal attributes of Crome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..models.pictures import Part
from ..models.readers import read_json
from .listing import TEXT, listed, record
from .making import Writer

Attribute = Mapping[str, str]
SCHEMA: Final = listed(record(name=TEXT, meaning=TEXT))


async def causal_attributes(
    writer: Writer, prompt: str, most: int, refine: bool, pictures: Sequence[Part], seed: int
) -> list[Attribute]:
    """At most `most` attributes, each {name, meaning}, of different names; `refine` has the list revised once.

    Raises Dropped for a reply that is no list, CallError when a call failed. Crome, arXiv 2506.16507.
    """
    values: dict[str, Any] = {"prompt": prompt, "most": most}
    for part in ("attributes", "refine") if refine else ("attributes",):
        reply = await writer.says(part, values, read_json(SCHEMA), seed=seed, schema=SCHEMA, pictures=pictures)
        values["attributes"] = reply["items"][:most]
    return list({item["name"]: item for item in values["attributes"] if item["name"].strip()}.values())
