"""Dialects of datasets with images: what Diffusion-DPO, SFO, vision-language and reward trainers read.

Images are written as they are, bytes and all; nothing is encoded again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.byte_hashing import mix
from ..core.hashing import hash_column
from ..core.row import IMAGE, answer_text, flat, prompt_text
from . import rendering
from .rendering import Form

_SAYS: Final = pa.struct([("from", pa.string()), ("value", pa.string())])
_WINNERS: Final = {"first": "Response 1 is better.", "second": "Response 2 is better.", "tie": "They are equally good."}


def diffusion(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Pick-a-Pic's columns: two encoded images, 1.0 = the first is preferred, and the caption."""
    better, worse = (pc.struct_field(flat(table[name]), ["image", "bytes"]) for name in ("chosen", "rejected"))
    label = pa.repeat(pa.scalar(1.0, pa.float64()), table.num_rows)
    return {"jpg_0": better, "jpg_1": worse, "label_0": label, "caption": prompt_text(table["prompt"])}


def quadruple(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """SFO's quadruplets: the undegraded conditions, the target and the negative, and how it was made."""
    sides = [flat(table[name]) for name in ("chosen", "rejected")]
    target, negative = (pc.struct_field(side, "image") for side in sides)
    made_by = pc.struct_field(sides[1], "made_by")
    found = {
        "reference": _first_image(table), "prompt": prompt_text(table["prompt"]), "target": target,
        "negative": negative,
    }  # fmt: skip
    for name in ("degrade_visual", "degrade_text"):
        there = name in table.column_names
        found[name] = flat(table[name]).cast(pa.string()) if there else pa.nulls(table.num_rows, pa.string())
    return found | {
        "degrade_params": pc.struct_field(made_by, "params"), "seed": pc.struct_field(made_by, "seed")
    }  # fmt: skip


def vision(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """TRL's vision layout: prompts of typed parts, as many image parts as `images` has."""
    typed = Form(parts=True, tools=form.tools)
    columns = {"prompt": rendering.prompts(table, typed)}
    columns |= {name: rendering.answers(table, name, typed) for name in ("chosen", "rejected")}
    return columns | {"images": rendering.images(table, typed)}


def rlaif_v(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """The columns of RLAIF-V-Dataset; `origin_split` is the JSON of who made the answers."""
    n = table.num_rows
    number = pa.array(np.arange(n))
    image = _first_image(table)
    source = _column(table, "source", pa.string())
    made_by = pc.struct_field(pc.struct_field(flat(table["chosen"]), "made_by"), "params")
    return {
        "ds_name": pc.coalesce(source, pa.scalar("rather")), "image": image,
        "question": prompt_text(table["prompt"]), "chosen": answer_text(table["chosen"]),
        "rejected": answer_text(table["rejected"]), "origin_dataset": source,
        "origin_split": pc.coalesce(made_by, pa.scalar("{}")),
        "idx": _column(table, "id", pa.string()) if "id" in table.column_names else number.cast(pa.string()),
        "image_path": pc.coalesce(pc.struct_field(image, "path"), pa.scalar("")),
    }  # fmt: skip


def llava(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """LLaVA's preference file: the image's token before the question, both answers as text."""
    return {
        "id": _column(table, "id", pa.string()), "image": _first_image(table),
        "prompt": _asked(table), "chosen": answer_text(table["chosen"]), "rejected": answer_text(table["rejected"]),
    }  # fmt: skip


def llava_critic(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Critics' training data: two answers to one question about an image, and which is better.

    Which stands first follows the row's hash, so that neither place is favoured; ties say so. Where the row
    has a critique its words are the reason.
    """
    texts = [answer_text(table[name]).fill_null("") for name in ("chosen", "rejected")]
    swapped = _swapped(table)
    first, second = pc.if_else(swapped, texts[1], texts[0]), pc.if_else(swapped, texts[0], texts[1])
    asked = pc.binary_join_element_wise(
        _asked(table), "Compare two responses to this. Response 1:", first, "Response 2:", second,
        "Which is better? Give your reasons.", "\n\n",
    )  # fmt: skip
    tie = pc.equal(_column(table, "verdict", pa.string()).fill_null("prefer"), "tie")
    said = pc.if_else(tie, _WINNERS["tie"], pc.if_else(swapped, _WINNERS["second"], _WINNERS["first"]))
    return _conversation(table, asked, _reasoned(said, table))


def llava_critic_pointwise(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Critics' training data: one answer, its score and the reason, from the `critique` column."""
    score = pc.struct_field(flat(table["critique"]), "score")
    asked = pc.binary_join_element_wise(
        _asked(table), "Rate this response and give your reasons:", answer_text(table["chosen"]).fill_null(""), "\n\n"
    )
    said = pc.binary_join_element_wise(
        "Score:", pc.utf8_rtrim(pc.replace_substring_regex(score.cast(pa.string()), r"\.0$", ""), " "), " "
    )
    return _conversation(table, asked, _reasoned(said, table))


def cross_prompt(table: pa.Table, form: Form) -> dict[str, pa.Array]:
    """Pairs across prompts, for reward models alone: each side with its own prompt, and μ = 1 or ½ (a tie)."""
    tie = pc.equal(_column(table, "verdict", pa.string()).fill_null("prefer"), "tie")
    columns = {name: prompt_text(table[name]) for name in ("prompt_chosen", "prompt_rejected")}
    for name in ("chosen", "rejected"):
        answers = flat(table[name])
        columns |= {name: pc.struct_field(answers, "text"), f"{name}_image": pc.struct_field(answers, "image")}
    return columns | {"mu": pc.if_else(tie, pa.scalar(0.5), pa.scalar(1.0))}


def _first_image(table: pa.Table) -> pa.Array:
    return pc.list_element(flat(table["images"]), 0) if table.num_rows else pa.nulls(0, IMAGE)


def _asked(table: pa.Table) -> pa.Array:
    return pc.binary_join_element_wise("<image>", prompt_text(table["prompt"]), "\n")


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    return flat(table[name]).cast(kind) if name in table.column_names else pa.nulls(table.num_rows, kind)


def _swapped(table: pa.Table) -> pa.Array:
    odd = mix(hash_column(table["chosen"])) & np.uint64(1) == np.uint64(1)
    return pa.array(odd)


def _reasoned(said: pa.Array, table: pa.Table) -> pa.Array:
    if "critique" not in table.column_names:
        return said
    why = pc.struct_field(flat(table["critique"]), "text")
    return pc.if_else(why.is_valid(), pc.binary_join_element_wise(said, why.fill_null(""), "\n"), said)


def _conversation(table: pa.Table, asked: pa.Array, said: pa.Array) -> dict[str, pa.Array]:
    n = table.num_rows
    values = pa.concat_arrays([asked, said]).take(pa.array(np.arange(2 * n).reshape(2, n).T.ravel()))
    speakers = pa.array(np.tile(["human", "gpt"], n), pa.string())
    turns = pa.StructArray.from_arrays([speakers, values], fields=list(_SAYS))
    conversations = pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * n + 1, 2), pa.int32()), turns)
    return {
        "id": _column(table, "id", pa.string()), "source": _column(table, "source", pa.string()),
        "conversations": conversations, "image": _first_image(table),
    }  # fmt: skip
