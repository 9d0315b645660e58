"""Swaps that must not matter: names alike everywhere, idle length, tone; and how violations are counted."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import CallError, InputError
from rather.core.stage import Drop
from rather.filters.diagnose_invariance import DiagnoseInvariance, paired, violated
from rather.synth.counterfactual_swap import CounterfactualSwap
from rather.synth.swaps import CLOSERS, NAMES, OPENERS, padded, swapped_names

from ..frames import SinkContext, TableFrame
from .scripted import ran, real_pairs, row_of

ROW = row_of(
    "Emily lends Omar 5 euros. How much does Omar owe?",
    chosen="Omar owes Emily 5 euros.",
    rejected="Emily owes Omar 5 euros.",
)


def test_names_are_exchanged_alike_everywhere() -> None:
    texts = ["When Emily met Omar, Omar smiled. Emily left.", "Omar's friend is Emily."]
    found = swapped_names(texts, Random(1))
    assert found is not None
    changed, swaps = found
    assert set(swaps) == {"Emily", "Omar"} and swaps["Emily"] in NAMES["female"] and swaps["Omar"] in NAMES["male"]
    assert changed == [t.replace("Emily", swaps["Emily"]).replace("Omar", swaps["Omar"]) for t in texts]
    assert found == swapped_names(texts, Random(1))
    for seed in range(60):
        again = swapped_names(texts, Random(seed))
        assert again is not None and not set(again[1].values()) & {"Emily", "Omar"}


@pytest.mark.parametrize(
    "text", ["Nothing here.", "Emily Dickinson wrote it.", "We met Queen Laura.", "Ask Dr. Sarah.", "an emily", "Olgas"]
)
def test_names_of_known_people_stay(text: str) -> None:
    assert swapped_names([text], Random(0)) is None


def test_a_name_that_is_somebody_once_stays_everywhere() -> None:
    found = swapped_names(["Emily and Bob read.", "Emily Dickinson wrote it."], Random(0))
    assert found is not None and set(found[1]) == {"Bob"}


def test_padding_says_nothing_and_has_its_measure() -> None:
    text = "word " * 60
    longer = padded(text.strip(), 1.5, Random(3))
    assert text.strip() in longer and 90 <= len(longer.split()) < 110
    rest = longer.replace(text.strip(), "").strip()
    assert all(any(part in sentence for sentence in (*OPENERS, *CLOSERS)) for part in rest.split("\n\n")[0].split(". "))
    short = padded("Yes.", 1.5, Random(3))
    assert short.count("\n\n") == 2 and short.split("\n\n")[1] == "Yes."
    most = padded("word " * 5000, 3, Random(3))
    assert all(sentence in most for sentence in (*OPENERS, *CLOSERS)), "they run out"


def test_rows_in_full() -> None:
    found, model = ran(CounterfactualSwap(), ROW, [])
    original, names, length = found
    assert original == {
        "swap": "original",
        "swap_of": "row0",
        "swap_side": None,
        "verdict": "prefer",
        "swap_faults": [],
    }
    params = json.loads(names["chosen"]["made_by"]["params"])["swaps"]
    say = {text: text.replace("Emily", params["Emily"]).replace("Omar", params["Omar"]) for text in (
        ROW["prompt"][0]["content"], ROW["chosen"]["text"], ROW["rejected"]["text"])}  # fmt: skip
    assert names["prompt"] == [{"role": "user", "content": say[ROW["prompt"][0]["content"]]}]
    assert names["chosen"]["text"] == say[ROW["chosen"]["text"]]
    assert names["rejected"]["text"] == say[ROW["rejected"]["text"]]
    assert (names["swap"], names["swap_side"], names["verdict"]) == ("names", "both", "prefer")
    assert set(length) == {"rejected", "swap", "swap_of", "swap_side", "verdict", "swap_faults"}
    assert ROW["rejected"]["text"] in length["rejected"]["text"] and length["swap_side"] == "rejected"
    origin = length["rejected"]["made_by"]
    assert origin == {
        "stage": "synth.counterfactual_swap", "method": "length", "params": '{"longer":1.5}', "model": None, "seed": 7,
    }  # fmt: skip
    assert model.asked == []


def test_what_cannot_be_swapped_is_told() -> None:
    plain = row_of("How much?", chosen="Five.", rejected="Six.", verdict="tie")
    found, _ = ran(CounterfactualSwap(), plain, [])
    assert [(row["swap"], row["swap_faults"], row["verdict"]) for row in found] == [
        ("original", ["no names"], "tie"),
        ("length", ["no names"], "tie"),
    ]
    assert ran(CounterfactualSwap(kinds=("names",)), plain, [])[0] == Drop("no names")
    assert ran(CounterfactualSwap(), plain | {"rejected": None}, [])[0] == Drop("no rejected answer")


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("Do rest assured: Emily owes Omar five euros!", None),
        ("Emily  owes Omar 5 euros.", "tone: nothing changed"),
        ("Sure! " * 40, "tone: another length"),
        ("I'm sorry, I can't help with that.", "tone: refused"),
        ("", "tone: unparsable"),
    ],
)
def test_another_tone(reply: str, fault: str | None) -> None:
    stage = CounterfactualSwap(kinds=("tone",), writer="writer")
    found, model = ran(stage, ROW, [("# Tone\nconfident", reply)])
    if fault is not None:
        assert found == Drop(fault)
        return
    assert found[1]["rejected"]["text"] == reply and found[1]["rejected"]["model"] == "scripted"
    assert len(model.asked) == 1 == stage.calls_a_row()
    other, _ = ran(CounterfactualSwap(kinds=("tone",), writer="writer", side="chosen"), ROW, [("# Tone", reply)])
    assert other[1]["chosen"]["text"] == reply and "rejected" not in other[1]


def test_a_tone_needs_a_writer() -> None:
    assert "give writer" in CounterfactualSwap(kinds=("tone",)).faults()[0]
    assert CounterfactualSwap().faults() == [] and CounterfactualSwap().models_named() == ()
    with pytest.raises(CallError, match="down"):
        ran(CounterfactualSwap(kinds=("tone",), writer="writer"), ROW, [("# Tone", CallError("down"))])


def scores(**columns: Any) -> pa.Table:
    return pa.table({"swap_of": ["a", "a", "a", "b", "b", "c", "c"], **columns})


def test_violations_by_hand(tmp_path: Path) -> None:
    """a: 0.9 becomes 0.4 (changed) and 0.8; b: 0.5 becomes 0.6 (a tie no more); c has no original with a score."""
    table = scores(
        swap=["original", "names", "length", "length", "original", "original", "names"],
        judge_p=[0.9, 0.4, 0.8, 0.6, 0.5, None, 0.7],
    )
    facts = DiagnoseInvariance().sink(TableFrame(table), SinkContext.at(tmp_path))
    told = {line["measure"]: line["value"] for line in facts["measures"]}
    assert (facts["rows"], facts["compared"]) == (7, 3)
    assert told["swaps without a score to compare"] == 0.25
    assert told["all swaps: verdict changes"] == 0.6667
    assert told["names: verdict changes"] == 1.0 and told["length: verdict changes"] == 0.5
    assert told["names: the score moves"] == -0.5 and told["length: the score moves"] == 0.0
    assert told["length: the score moves, either way"] == 0.1
    assert violated(np.array([1.0, -1, 0]), np.array([2.0, -3, 0]), 0).tolist() == [False] * 3


def test_the_first_original_of_a_group_counts() -> None:
    before, _ = paired(np.array([0, 0, 1, 1]), np.array([True, True, False, False]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert before[:2].tolist() == [1.0, 1.0] and np.isnan(before[2:]).all()


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    table = scores(swap=["original"] * 7, judge_p=[0.5] * 7)
    with pytest.raises(InputError, match="no swap has a score"):
        DiagnoseInvariance().sink(TableFrame(table), SinkContext.at(tmp_path))


def test_three_real_pairs(data: Path) -> None:
    for row in real_pairs(data, "llmbar.jsonl"):
        found, _ = ran(CounterfactualSwap(), row, [])
        assert [r["swap"] for r in found] == ["original", "length"]
        assert found[0]["swap_faults"] == ["no names"]
        longer = found[1]["rejected"]["text"]
        assert row["rejected"]["text"] in longer and len(longer.split()) > len(row["rejected"]["text"].split())
