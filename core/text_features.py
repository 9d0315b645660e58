"""Cheap surface features of an answer and of what it shares with its prompt, a column at a time.

No weights and no row loop: regular expressions run over the Arrow column, words and numbers are
coded once and compared as integers. A row's features never depend on the rows beside it.
"""

from __future__ import annotations

from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .errors import InputError

WORD = r"[^\p{L}\p{N}']+"
NUMBER = r"[^\d.]+"

# Patterns counted in the answer; the count is divided by its words (`rate`) or taken as log1p.
RATES = {
    "sentence_ends": r"[.!?](?:\s|$)",
    "commas": r"[,;:]",
    "digits": r"\p{N}",
    "capitals": r"\p{Lu}",
    "quotes": r"[\"“”`]",
    "brackets": r"[()\[\]{}<>]",
    "function_words": r"(?i)\b(?:the|a|an|of|to|in|is|are|was|were|and|that|it|its)\b",
    "pronouns_self": r"(?i)\b(?:i|i'm|i'll|my|me|we|our)\b",
    "pronouns_reader": r"(?i)\b(?:you|your|yours)\b",
    "modals": r"(?i)\b(?:can|could|may|might|should|would|will|must)\b",
    "past": r"(?i)\b(?:was|were|had|did|became|\p{L}{2,}ed)\b",
}
COUNTS = {
    "newlines": r"\n",
    "bullets": r"(?m)^\s*(?:[-*•]|\d+[.)])\s",
    "emphasis": r"\*\*|__|(?m)^#{1,6}\s",
    "code": r"```|(?m)^(?: {4}|\t)\S",
    "equations": r"=",
    "operators": r"\d\s*[-+*/x×÷]\s*\d",
    "decimals": r"\d\.\d",
    "long_decimals": r"\d\.\d{3,}",
    "questions": r"\?",
    "exclamations": r"!",
    "links": r"https?://|www\.",
    "negations": r"(?i)\b(?:no|not|never|none|nothing|nobody|neither|cannot)\b|n't\b",
    "absolutes": r"(?i)\b(?:all|always|every|everyone|only|must|completely|any|most|best)\b",
    "hedges": r"(?i)\b(?:may|might|perhaps|possibly|likely|usually|often|sometimes|some|depends?)\b",
    "refusals": r"(?i)\b(?:sorry|apologi[sz]e|as an ai|unable to|cannot (?:help|assist|provide)"
    r"|can't (?:help|assist|provide)|i (?:do not|don't) know|no comment)\b",
    "contrasts": r"(?i)\b(?:but|however|although|instead|rather|while|though|despite)\b",
    "connectives": r"(?i)\b(?:so|because|therefore|then|since|thus|first|finally|also)\b",
}
FLAGS = {
    "opens_capital": r"^\s*\p{Lu}",
    "opens_number": r"^\s*\p{N}",
    "opens_yes": r"(?i)^\s*yes\b",
    "opens_no": r"(?i)^\s*no\b",
    "opens_space": r"^\s",
    "opens_courtesy": r"(?i)^\s*(?:sure|certainly|of course|here (?:is|are)|great)\b",
    "ends_stop": r"[.!?\"”)]\s*$",
    "ends_number": r"\p{N}\s*$",
    "ends_asking": r"\?\s*$",
}
SHARED = (
    "log_chars", "log_words", "log_sentences", "word_length", "sentence_length", "one_word",
    "repetition", "overlap_of_answer", "overlap_of_prompt", "new_words", "numbers",
    "number_overlap_of_answer", "number_overlap_of_prompt", "repeated_numbers", "length_to_prompt",
)  # fmt: skip
NAMES = tuple(RATES) + tuple(COUNTS) + tuple(FLAGS) + SHARED


def answer_features(prompt: pa.Array, answer: pa.Array) -> tuple[np.ndarray, tuple[str, ...]]:
    """Surface features [n, d] float32 of n answers and their d names.

    `prompt` and `answer` are string columns of equal length; null reads as empty. Rates lie in
    [0, 1] or a little above, counts are log1p, flags 0 or 1, overlaps shares in [0, 1]. None has
    a direction by itself: a head learns it. Raises InputError on unequal lengths.
    """
    if len(prompt) != len(answer):
        raise InputError(f"{len(prompt)} prompts for {len(answer)} answers", hint="one of each a row")
    prompt, answer = _plain(prompt), _plain(answer)
    per_word = np.maximum(_count(answer, r"[\p{L}\p{N}']+"), 1)
    columns = [_count(answer, pattern) / per_word for pattern in RATES.values()]
    columns += [np.log1p(_count(answer, pattern)) for pattern in COUNTS.values()]
    columns += [pc.match_substring_regex(answer, p).to_numpy(zero_copy_only=False) for p in FLAGS.values()]
    columns += _shared(prompt, answer)
    return np.column_stack(columns).astype(np.float32), NAMES


def _plain(texts: pa.Array) -> pa.Array:
    """One contiguous large_string array without nulls."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    return pc.fill_null(pc.cast(array, pa.large_string()), "")


def _count(texts: pa.Array, pattern: str) -> np.ndarray:
    return pc.count_substring_regex(texts, pattern).to_numpy().astype(np.float64)


@final
class _Bag:
    """Tokens of every row: `rows` and `tokens` run in parallel, `sizes` [n] counts them."""

    def __init__(self, texts: pa.Array, separator: str) -> None:
        lists = pc.split_pattern_regex(pc.utf8_lower(texts), separator)
        tokens, rows = pc.list_flatten(lists), pc.list_parent_indices(lists)
        full = pc.not_equal(tokens, "")
        self.tokens = pc.filter(tokens, full)
        self.rows = pc.filter(rows, full).to_numpy().astype(np.int64)
        self.sizes = np.bincount(self.rows, minlength=len(texts)).astype(np.float64)


def _overlap(prompt: pa.Array, answer: pa.Array, separator: str) -> tuple[_Bag, np.ndarray, np.ndarray, np.ndarray]:
    """The answer's tokens, and per row: distinct ones, those of the prompt, those in both [n]."""
    rows = len(answer)
    of_prompt, of_answer = _Bag(prompt, separator), _Bag(answer, separator)
    coded = pa.concat_arrays([of_prompt.tokens, of_answer.tokens]).dictionary_encode()
    codes = coded.indices.to_numpy().astype(np.int64)
    width = max(len(coded.dictionary), 1)
    cut = len(of_prompt.tokens)
    asked = np.unique(of_prompt.rows * width + codes[:cut])
    said = np.unique(of_answer.rows * width + codes[cut:])
    both = np.intersect1d(asked, said, assume_unique=True)
    distinct, known, shared = (
        np.bincount(keys // width, minlength=rows).astype(np.float64) for keys in (said, asked, both)
    )
    return of_answer, distinct, known, shared


def _shared(prompt: pa.Array, answer: pa.Array) -> list[np.ndarray]:
    """The columns of `SHARED`, in that order, each [n]."""
    words, distinct, asked, shared = _overlap(prompt, answer, WORD)
    numbers, distinct_n, asked_n, shared_n = _overlap(prompt, answer, NUMBER)
    chars = pc.utf8_length(answer).to_numpy().astype(np.float64)
    asked_chars = pc.utf8_length(prompt).to_numpy().astype(np.float64)
    letters = chars - _count(answer, r"\s")
    sentences = np.maximum(_count(answer, RATES["sentence_ends"]), 1)
    some, some_n = np.maximum(words.sizes, 1), np.maximum(numbers.sizes, 1)
    return [
        np.log1p(chars),
        np.log1p(words.sizes),
        np.log1p(sentences),
        letters / some / 10,
        np.log1p(words.sizes / sentences),
        words.sizes <= 1,
        (words.sizes - distinct) / some,
        shared / np.maximum(distinct, 1),
        shared / np.maximum(asked, 1),
        np.log1p(distinct - shared),
        np.log1p(numbers.sizes),
        shared_n / np.maximum(distinct_n, 1),
        shared_n / np.maximum(asked_n, 1),
        (numbers.sizes - distinct_n) / some_n,
        np.log1p(chars) / np.log(np.e + asked_chars),
    ]
