"""From a table of pairs with their text vectors to what a Bradley-Terry head is fitted on.

A prompt counts by its last message, in its vector as in the words it shares with an answer: that
is what `embed.text` encodes, and what a trained head is later asked with.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError
from ..core.row import answer_text, last_user_text
from ..core.text_features import answer_features
from .pair_features import pair_features

PAIR_COLUMNS: Final = ("prompt", "chosen", "rejected", "chosen_vector", "rejected_vector", "prompt_vector?")
"""What a stage must read for `pair_views` and `pair_deltas`."""
LABEL_COLUMNS: Final = ("weight?", "p_chosen?", "verdict?")
"""What a stage may read beside, for `label_weights` and `comparable`."""


def pair_views(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """View A (meaning) and view B (surface), float32 [n, ·], of the n pairs of a table.

    Without `prompt_vector` view A is only the difference of the answers' vectors. An absent text
    has a vector of zeros. Raises InputError when a column is missing or is no vector.
    """
    chosen, rejected = vectors_of(table, "chosen_vector"), vectors_of(table, "rejected_vector")
    against = "prompt_vector" in table.column_names
    prompts = vectors_of(table, "prompt_vector") if against else np.zeros_like(chosen)
    asked = last_user_text(table["prompt"])
    good, _ = answer_features(asked, answer_text(table["chosen"]))
    bad, _ = answer_features(asked, answer_text(table["rejected"]))
    meaning, surface = pair_features(prompts, chosen, rejected, good, bad)
    return (meaning if against else meaning[:, : chosen.shape[1]]), surface


def pair_deltas(table: pa.Table) -> np.ndarray:
    """Both views of `pair_views` side by side, float32 [n, d]; swapping the answers negates them."""
    return np.concatenate(pair_views(table), axis=1)


def comparable(table: pa.Table) -> np.ndarray:
    """bool [n]: rows that say which of two texts is better; ties and absent answers do not."""
    sound = pc.and_(answer_text(table["chosen"]).is_valid(), answer_text(table["rejected"]).is_valid())
    if "verdict" in table.column_names:
        tie = pc.fill_null(pc.equal(table["verdict"].combine_chunks(), "tie"), False)
        sound = pc.and_(sound, pc.invert(tie))
    mask: np.ndarray = sound.to_numpy(zero_copy_only=False)
    return mask


def label_weights(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Importance of each label as it stands and of its opposite, float64 [n] each.

    A pair of `weight` w and `p_chosen` p (1 where absent) gives w·p and w·(1-p). Raises InputError
    for a weight below 0 or a p outside [0, 1].
    """
    weight, chance = _numbers(table, "weight"), _numbers(table, "p_chosen")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise InputError("weight must be 0 or more", place="weight")
    if not ((chance >= 0) & (chance <= 1)).all():
        raise InputError("p_chosen must lie in [0, 1]", place="p_chosen")
    return weight * chance, weight * (1 - chance)


def both_ways(delta: np.ndarray, weight: np.ndarray, counter: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, importances and owners of what to fit on; arguments as from `label_weights`.

    A pair whose label is in doubt (`counter` > 0) stands twice, the second time with its answers
    swapped; the owner is its row. The first n are the rows themselves.
    """
    soft = np.flatnonzero(counter)
    owner = np.concatenate([np.arange(len(delta)), soft])
    if not len(soft):
        return delta, weight, owner
    return np.concatenate([delta, -delta[soft]]), np.concatenate([weight, counter[soft]]), owner


def vectors_of(table: pa.Table, name: str) -> np.ndarray:
    """A vector column as float32 [n, dim], zeros where null; InputError when it is none."""
    if name not in table.column_names:
        raise InputError(f"no column {name}", hint="embed.text writes it; put it before this stage")
    column = table[name].combine_chunks()
    if not pa.types.is_fixed_size_list(column.type):
        raise InputError(f"{name} is {column.type}, not a vector", hint="embed.text writes vectors")
    dim = column.type.list_size
    # `values` keeps the slots of null rows, which `flatten` would leave out
    flat = column.values.slice(column.offset * dim, len(column) * dim).cast(pa.float32())
    rows: np.ndarray = flat.to_numpy(zero_copy_only=False).reshape(-1, dim)
    if not column.null_count:
        return rows
    there = column.is_valid().to_numpy(zero_copy_only=False)
    return np.where(there[:, None], rows, np.float32(0))


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column of numbers float64 [n], 1 where it or a value is absent."""
    if name not in table.column_names:
        return np.ones(table.num_rows)
    values: np.ndarray = pc.fill_null(table[name].cast(pa.float64()), 1.0).to_numpy()
    return values
