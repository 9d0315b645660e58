"""Dialects of text: the columns of TRL's trainers, of critique fine-tuning, and our own."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.row import flat, prompt_text
from . import rendering
from .features import undictionaried
from .rendering import Form

_PRIVATE: Final = ("place", "content_hash", "prompt_hash")  # given anew to whatever is read again


def preference(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Explicit prompt, and the two answers."""
    columns = {"prompt": rendering.prompts(table, form)}
    columns |= {name: rendering.answers(table, name, form) for name in ("chosen", "rejected")}
    return columns | _images(table, form)


def implicit(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Two whole conversations that share their prompt."""
    columns = {name: rendering.conversations(table, name, form) for name in ("chosen", "rejected")}
    return columns | _images(table, form)


def reward(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """What reward trainers read, with a margin where the rows have one."""
    columns = preference(table, form) if form.text else implicit(table, form)
    if "margin" in table.column_names:
        # the collator looks at the first row of a batch only: every row must have a number,
        # and 0 is the loss without a margin
        columns["margin"] = pc.fill_null(flat(table["margin"]).cast(pa.float64()), 0.0)
    return columns


def kto(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Two rows a pair: [2n], the chosen answer first."""
    n = table.num_rows
    twice = pa.array(np.repeat(np.arange(n), 2))
    sides = [name for name in ("chosen", "rejected") if name in table.column_names]
    both = [rendering.answers(table, name, form) for name in sides]
    if len(both) == 1:
        both.append(pa.nulls(n, both[0].type))
    both = [_nulled(column, table, name) for column, name in zip(both, ("chosen", "rejected"), strict=True)]
    completion = pa.concat_arrays(both).take(pa.array(np.arange(2 * n).reshape(2, n).T.ravel()))
    columns = {"prompt": rendering.prompts(table, form).take(twice), "completion": completion}
    columns["label"] = pa.array(np.tile([True, False], n))
    return columns | {name: column.take(twice) for name, column in _images(table, form).items()}


def _nulled(column: pa.Array, table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names or not table[name].null_count:
        return column
    return pc.if_else(flat(table[name]).is_valid(), column, pa.scalar(None, column.type))


def sft(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """The prompt and the chosen answer."""
    columns = {"prompt": rendering.prompts(table, form), "completion": rendering.answers(table, "chosen", form)}
    return columns | _images(table, form)


def stepwise(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Steps and whether each is right."""
    steps = flat(table["steps"])
    values, offsets = (
        steps.flatten(),
        pa.array(np.concatenate([[0], np.cumsum(pc.fill_null(pc.list_value_length(steps), 0))]).astype(np.int32)),
    )
    return {
        "prompt": prompt_text(table["prompt"]),
        "completions": pa.ListArray.from_arrays(offsets, pc.struct_field(values, "text")),
        "labels": pa.ListArray.from_arrays(offsets, pc.struct_field(values, "label")),
    }


def cft(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """The question and solution apart from the instruction, where the prompt has both."""
    prompt = prompt_text(table["prompt"])
    parts = pc.extract_regex(prompt, r"(?s)^(?P<instruction>.*?)\n(?P<input>Question:\n.*)$")
    found = {name: pc.struct_field(parts, name) for name in ("instruction", "input")}
    return {
        "instruction": pc.if_else(parts.is_null(), prompt, found["instruction"]),
        "input": pc.if_else(parts.is_null(), "", found["input"]),
        "output": rendering.answers(table, "chosen", form),
    }


def own(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Our own columns as they are."""
    return {name: undictionaried(flat(table[name])) for name in table.column_names if name not in _PRIVATE}


def _images(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    return {"images": rendering.images(table, form)} if "images" in table.column_names else {}
