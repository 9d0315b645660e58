"""What a stage declares: the columns it writes, and what its fields name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, final

import pyarrow as pa


@final
@dataclass(frozen=True)
class Column:
    """A column a stage writes: for a score, its unit, range and which direction is better."""

    name: str
    doc: str = ""
    type: pa.DataType | None = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    better: str = ""

    def metadata(self, writer: str) -> dict[bytes, bytes]:
        """What is stored with the field in the schema: scorer, range and direction."""
        pairs = {"scorer": writer, "doc": self.doc, "unit": self.unit, "better": self.better}
        pairs |= {"low": "" if self.low is None else str(self.low), "high": "" if self.high is None else str(self.high)}
        return {key.encode(): value.encode() for key, value in pairs.items() if value}


@final
@dataclass(frozen=True)
class ModelOf:
    """Marks a stage field that names a model of the recipe (or a registered one) of this kind."""

    kind: str

    def takes(self, kind: str) -> bool:
        """Whether a model of `kind` will do: one of this kind, or of one that promises all this kind does."""
        return kind == self.kind or kind in MORE_THAN.get(self.kind, ())


MORE_THAN: Final[Mapping[str, tuple[str, ...]]] = {
    "image_encoder": ("patch_encoder", "image_text_encoder", "image_text_matcher"),
    "image_text_encoder": ("image_text_matcher",),
    "image_reward": ("image_rating",),
    "style_encoder": ("image_encoder", "patch_encoder", "image_text_encoder", "image_text_matcher"),
}
"""Kinds of model whose protocol holds everything another kind's does."""


@final
@dataclass(frozen=True)
class StageOf:
    """Marks a stage field that names an earlier stage of the recipe."""


@final
@dataclass(frozen=True)
class FileOf:
    """Marks a stage field that is a path which must exist when the recipe is checked."""


def filled_in(template: str, stage: object) -> Iterator[str]:
    """A column name of `reads` or `writes` with `{field}` filled from the stage: a name for each of a list's values."""
    if "{" not in template:
        yield template
        return
    head, _, rest = template.partition("{")
    field, _, tail = rest.partition("}")
    value = getattr(stage, field)
    values = value if isinstance(value, (list, tuple)) else [value]
    for item in values:
        if item is not None and item != "":
            yield f"{head}{item}{tail}"
