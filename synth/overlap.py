"""How much of one text stands in another: ROUGE-L, shared runs of words, shared n-grams.

Words are compared in NFKC and case-folded; an ideograph, a kana and a hangul syllable are words of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_LONE: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_GAP: Final = chr(0x10FFFF)
_QUOTE: Final = 4
"""Words in a row that are called a quotation."""
_SURROGATES: Final = range(0xD800, 0xE000)
_WORD: Final = re.compile(rf"[{_LONE}]|[^\W{_LONE}]+")


def words_of(text: str) -> list[str]:
    """The words of a text, without case, marks and spaces."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def rouge_l(one: str, other: str) -> float:
    """F1 of the longest common subsequence of words, in [0, 1]; 1 for the same words, 0 where a text has none.

    ROUGE, Lin 2004, with β = 1.
    """
    a, b = words_of(one), words_of(other)
    return 2 * common_subsequence(a, b) / (len(a) + len(b)) if a and b else 0.0


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table being one integer (Hyyrö, 2004)."""
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    whole = (1 << len(a)) - 1
    row = whole
    for word in b:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & whole
    return len(a) - row.bit_count()


def longest_run(one: str, other: str, besides: str = "") -> int:
    """Number of words of the longest run that stands in both texts, `one` being without what it quotes of `besides`."""
    a, b, c = _coded(words_of(one), words_of(other), words_of(besides))
    a = _unquoted(a, c)
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _grams(a, middle) & _grams(b, middle) else (low, middle - 1)
    return low


def ngram_share(text: str, source: str, n: int, besides: str = "") -> float:
    """Share, in [0, 1], of the distinct n-grams of `text` that stand in `source`; 0 where it has none.

    What `text` quotes of `besides` does not count.
    """
    a, b, c = _coded(words_of(text), words_of(source), words_of(besides))
    ours = {gram for gram in _grams(_unquoted(a, c), n) if _GAP not in gram}
    return len(ours & _grams(b, n)) / len(ours) if ours else 0.0


def without_repeats(texts: Sequence[str], known: Sequence[str], most: float) -> list[str]:
    """The texts whose ROUGE-L with all of `known`, and with those kept before them, is below `most`, in order."""
    kept: list[str] = []
    for text in texts:
        if all(rouge_l(text, other) < most for other in (*known, *kept)):
            kept.append(text)
    return kept


def _coded(*texts: Sequence[str]) -> list[str]:
    """Each word as one character: runs of words are then slices, which cost next to nothing."""
    kinds = enumerate(dict.fromkeys(word for words in texts for word in words))
    codes = {word: chr(i + (i >= _SURROGATES.start) * len(_SURROGATES)) for i, word in kinds}
    return ["".join(codes[word] for word in words) for words in texts]


def _unquoted(words: str, source: str) -> str:
    """The words, a gap in place of each that stands in a run of `_QUOTE` words of `source`."""
    runs = _grams(source, _QUOTE)
    starts = [i for i in range(len(words) - _QUOTE + 1) if words[i : i + _QUOTE] in runs]
    quoted = {i + k for i in starts for k in range(_QUOTE)}
    return "".join(_GAP if i in quoted else word for i, word in enumerate(words))


def _grams(words: str, n: int) -> set[str]:
    return {words[i : i + n] for i in range(len(words) - n + 1)}
