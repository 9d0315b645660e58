"""Shared words of two texts: by hand, and against the plain table."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.synth.overlap import common_subsequence, longest_run, ngram_share, rouge_l, without_repeats, words_of

WORDS = st.lists(st.sampled_from("abcde"), max_size=14)


def test_words_have_no_case_marks_or_spaces() -> None:
    assert words_of("The CAT's  hat, 3.5 km — ﬁne!") == ["the", "cat", "s", "hat", "3", "5", "km", "fine"]
    assert words_of("东京は big 한국") == ["东", "京", "は", "big", "한", "국"]


def test_rouge_l_by_hand() -> None:
    """police kill the gunman / police killed the gunman: 3 of 4 words in order on both sides (Lin 2004)."""
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(0.75)
    assert rouge_l("police killed the gunman", "the gunman kill police") == pytest.approx(0.5)
    assert rouge_l("a b", "a b c d e f") == pytest.approx(2 * 2 / 8)
    assert rouge_l("Same words!", "same, WORDS") == 1.0
    assert rouge_l("", "a") == rouge_l("?", "?") == 0.0


@given(WORDS, WORDS)
@settings(max_examples=150, deadline=None)
def test_the_common_subsequence_is_that_of_the_table(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    assert common_subsequence(a, b) == common_subsequence(b, a) == table[-1][-1]


@given(WORDS, WORDS)
@settings(max_examples=150, deadline=None)
def test_the_longest_run_is_the_longest_that_stands_in_both(a: list[str], b: list[str]) -> None:
    one, other = " ".join(a), " ".join(b)
    runs = [
        n for n in range(len(a) + 1) for i in range(len(a) - n + 1) if f" {' '.join(a[i : i + n])} " in f" {other} "
    ]
    assert longest_run(one, other) == max([n for n in runs if n], default=0)


def test_quotations_of_a_third_text_do_not_count() -> None:
    task, real = "say why the town grew", "you ask to say why the town grew so it did grow"
    assert longest_run("say why the town grew so it", real) == 7
    assert longest_run("say why the town grew so it", real, task) == 2
    assert ngram_share("say why the town grew so it", real, 2, task) == 1.0
    assert ngram_share("say why the town grew and it", real, 2, task) == 0.0
    assert ngram_share("say why the town grew", real, 2, task) == 0.0


def test_ngrams_and_repeats_by_hand() -> None:
    assert ngram_share("a b c d", "x b c d", 2) == pytest.approx(2 / 3)
    assert ngram_share("a", "a", 2) == 0.0
    kept = without_repeats(["write a poem on rain", "name a city", "Write a poem on rain!"], ["name the city"], 0.7)
    assert kept == ["write a poem on rain", "name a city"]
    assert without_repeats(["name a city"], ["name the city"], 0.6) == []
