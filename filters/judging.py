"""What judging stages share: templates, requests, texts and pictures of rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from ..core.row import answer_text, prompt_text
from ..models.asking import Templates
from ..models.pictures import Part, picture_part

JUDGES: Final = Templates(Path(__file__).resolve().parent / "templates")
template, template_faults, digests = JUDGES.load, JUDGES.faults, JUDGES.digests


def texts_of(batch: pa.Table, *names: str) -> list[list[str | None]]:
    """The texts [n] of prompt and answer columns, as Python strings; null where there is none."""
    found = []
    for name in names:
        column = batch[name].combine_chunks()
        is_answer = pa.types.is_struct(column.type)
        is_prompt = pa.types.is_list(column.type)
        found.append((answer_text(column) if is_answer else prompt_text(column) if is_prompt else column).to_pylist())
    return found


def asides(batch: pa.Table, names: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    """For each row the texts of optional columns under the names a template knows them by."""
    columns = {key: texts_of(batch, name)[0] for key, name in names.items() if name}
    return [{key: columns[key][i] if key in columns else None for key in names} for i in range(batch.num_rows)]


def pictures_of(batch: pa.Table) -> list[tuple[Part, ...]]:
    """The pictures each row's prompt comes with, as message parts; empty where there are none."""
    if "images" not in batch.column_names:
        return [()] * batch.num_rows
    return [tuple(picture_part(image) for image in images or () if image) for images in batch["images"].to_pylist()]
