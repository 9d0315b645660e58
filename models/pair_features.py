"""Two views of a preference pair as difference features, for heads that review each other.

View A is what the answers mean (embeddings, alone and against the prompt), view B how they are
written (surface features). They share no input but the text, so their errors are nearly
independent, which is what a peer review lives on (Blum and Mitchell, 1998).
"""

from __future__ import annotations

import numpy as np

from ..core.errors import InputError


def pair_features(
    prompt_vec: np.ndarray,
    chosen_vec: np.ndarray,
    rejected_vec: np.ndarray,
    chosen_feats: np.ndarray,
    rejected_feats: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """View A [n, 2·dim] and view B [n, d] float32 of n pairs; both negate when answers swap.

    The vectors [n, dim] are unit text embeddings, the features [n, d] those of
    `core.text_features.answer_features`. A's first half is the difference of the answers' vectors,
    its second that of their products with the prompt's vector, whose sum is the difference of the
    two cosines. Raises InputError on unequal shapes.
    """
    if not prompt_vec.shape == chosen_vec.shape == rejected_vec.shape:
        shapes = f"{prompt_vec.shape}, {chosen_vec.shape}, {rejected_vec.shape}"
        raise InputError(f"vectors of shapes {shapes}", hint="one encoder, one row a pair")
    if chosen_feats.shape != rejected_feats.shape or len(chosen_feats) != len(prompt_vec):
        shapes = f"{chosen_feats.shape}, {rejected_feats.shape}"
        raise InputError(f"features of shapes {shapes}", place=f"{len(prompt_vec)} pairs")
    meaning = np.asarray(chosen_vec, np.float32) - np.asarray(rejected_vec, np.float32)
    surface = np.asarray(chosen_feats, np.float32) - np.asarray(rejected_feats, np.float32)
    return np.concatenate([meaning, meaning * np.asarray(prompt_vec, np.float32)], axis=1), surface
