"""Topics overwritten: every way an answer can go, on recorded replies; the pitfalls of the released code by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.overwrite_topics import OverwriteTopics

from ..judges import with_chances
from .scripted import Scripted, ran, row_of

PARIS, ROME = "The Eiffel Tower stands in Paris.", "The Eiffel Tower stands in Rome."
Y1889, Y1901 = "The Eiffel Tower was finished in 1889.", "The Eiffel Tower was finished in 1901."
M330, M100 = "The Eiffel Tower is 330 metres high.", "The Eiffel Tower is 100 metres high."
CHANCES = {PARIS: 0.98, ROME: 0.05, Y1889: 0.9, Y1901: 0.2, M330: 0.8, M100: 0.1}
TOPICS = ({PARIS, ROME}, {Y1889, Y1901}, {M330, M100})
FIRST, SECOND = f"{PARIS} {Y1889} {M330}", f"{ROME} {Y1901} {M330}"
SPLITS = {FIRST: [PARIS, Y1889, M330], SECOND: [ROME, Y1901, M330]}
WORSE, BETTER = f"{ROME} {Y1901} {M100}", f"{PARIS} {Y1889} {M330} Indeed."
Script = list[tuple[str | Sequence[str], Any]]


def items(*texts: str) -> str:
    return json.dumps({"items": texts})


def script(
    splits: Mapping[str, Sequence[str]] = SPLITS, wh: Mapping[str, str] | None = None, soft: bool = True
) -> Script:
    """Replies for answers of these claims; `wh` are what is said to the open question of a claim."""
    said: Script = []
    for text, facts in splits.items():
        said.append((f"# Text\n{text}\n\nList", items(*facts)))
        for order, begin in ((facts, "What of: "), (facts, "Is it so: ")):
            kind = "open questions" if begin[0] == "W" else "only be answered"
            numbered = "".join(f"{k}. {fact}\n" for k, fact in enumerate(order, 1))
            said.append(([kind, f"# Statements\n{numbered}\nWrite"], items(*(begin + fact for fact in order))))
    wh = {M330: M100} if wh is None else wh
    for facts in splits.values():
        others = [wh[fact] for fact in facts if wh.get(fact, fact) != fact]
        numbered = "".join(f"{k}. {fact}\n" for k, fact in enumerate(others, 1))
        said.append(
            (["only be answered", f"# Statements\n{numbered}\nWrite"], items(*("Is it so: " + f for f in others)))
        )
    for fact in {fact for facts in splits.values() for fact in facts}:
        said.append((["plain statement", f"What of: {fact}"], wh.get(fact, fact)))
    for fact, p in CHANCES.items():
        word = "yes" if p > 0.5 else "no"
        said.append((f"Is it so: {fact}", with_chances(word, {"yes": p, "no": 1 - p}) if soft else word))
    for topic in TOPICS:
        said += [(["the same property", f"1. {a}\n2. {b}"], "yes") for a in topic for b in topic]
        said += [(["ask for the same", f"1. What of: {a}\n2. What of: {b}"], "yes") for a in topic for b in topic]
    return [*said, ("the same property", "no"), ("ask for the same", "no"), ("# Edits", WORSE)]


def row(*answers: str | None, **columns: Any) -> dict[str, Any]:
    candidates = [None if a is None else {"text": a, "model": "m", "made_by": None} for a in answers]
    return row_of("Tell me of the Eiffel Tower.", candidates=candidates, **columns)


def overwritten(told: Script, *answers: str | None, **options: Any) -> tuple[Any, Scripted]:
    return ran(OverwriteTopics(**options), row(*answers), told, static=StaticText())


def test_a_row_in_full() -> None:
    """The first answer needs no upward edit and has three downward: it stands as it is against its rewrite."""
    found, model = overwritten(script(), FIRST, SECOND)
    [made] = found
    edits = [
        {"lead_new": pytest.approx(-0.9), "lead_old": pytest.approx(0.96), "new": ROME, "old": PARIS},
        {"lead_new": pytest.approx(-0.6), "lead_old": pytest.approx(0.8), "new": Y1901, "old": Y1889},
        {"lead_new": pytest.approx(-0.8), "lead_old": pytest.approx(0.6), "new": M100, "old": M330},
    ]
    origins = [made[side].pop("made_by") for side in ("chosen", "rejected")]
    params = [json.loads(origin.pop("params")) for origin in origins]
    settings = {"alternative": "best", "candidate": 0, "mode": "max_all_claim"}
    assert params == [settings | {"edits": []}, settings | {"edits": edits, "strength": "gross"}]
    assert origins == [
        {"stage": "synth.overwrite_topics", "method": "nothing to overwrite", "model": "m", "seed": None},
        {
            "stage": "synth.overwrite_topics", "method": "topics overwritten by false ones",
            "model": "scripted", "seed": 7,
        },
    ]  # fmt: skip

    def claim(answer: int, text: str, topic: int, alternative: bool = False) -> dict[str, Any]:
        p = pytest.approx(CHANCES[text])
        return {
            "answer": answer, "claim": text, "topic": topic, "p_yes": p, "p_no": pytest.approx(1 - CHANCES[text]),
            "alternative": alternative,
        }  # fmt: skip

    assert made == {
        "chosen": {"text": FIRST, "turns": None, "image": None, "model": "m"},
        "rejected": {"text": WORSE, "turns": None, "image": None, "model": "scripted"},
        "verdict": "prefer",
        "topics": [
            claim(0, PARIS, 0), claim(0, Y1889, 1), claim(0, M330, 2), claim(0, M100, 2, True),
            claim(1, ROME, 0), claim(1, Y1901, 1), claim(1, M330, 2), claim(1, M100, 2, True),
        ],
        "claims_score": [pytest.approx((0.96 + 0.8 + 0.6) / 3), pytest.approx((-0.9 - 0.6 + 0.6) / 3)],
        "claims_outcome": ["ok", "ok"],
        "overwrite_fallback": None, "overwrite_base": 0, "overwrite_up": 0, "overwrite_down": 3, "judged_margin": None,
    }  # fmt: skip
    rewrite = next(text for text in model.asked if "# Edits" in text)
    assert f"1. Instead of: {PARIS}\n   let it say: {ROME}" in rewrite and "3. Instead of" in rewrite
    assert len(model.asked) <= OverwriteTopics().calls_a_row()


def test_both_sides_are_rewrites_of_one_answer() -> None:
    """Alone with an answer that says nothing of two topics, the second is the base: two up, one down."""
    told = script({SECOND: [ROME, Y1901, M330], "Paris": [PARIS], "1889": [Y1889]})
    told.insert(0, ([f"# Text\n{SECOND}", f"1. Instead of: {ROME}\n   let it say: {PARIS}", f"{Y1889}"], BETTER))
    told.insert(1, ([f"# Text\n{SECOND}", f"1. Instead of: {M330}\n   let it say: {M100}"], WORSE))
    [made], _ = overwritten(told, "Paris", "1889", SECOND)
    assert (made["chosen"]["text"], made["rejected"]["text"]) == (BETTER, WORSE)
    assert (made["overwrite_base"], made["overwrite_up"], made["overwrite_down"]) == (2, 2, 1)
    methods = [made[side]["made_by"]["method"] for side in ("chosen", "rejected")]
    assert methods == ["topics overwritten by true ones", "topics overwritten by false ones"]


def test_one_claim_is_enough_where_one_is_asked_for() -> None:
    told = [(["# Edits", f"Instead of: {PARIS}\n   let it say: {ROME}"], f"{ROME} {Y1889} {M330}"), *script()]
    [made], model = overwritten(told, FIRST, SECOND, mode="max_one_claim")
    assert (made["overwrite_up"], made["overwrite_down"]) == (0, 1), "Paris and Rome are furthest apart"
    assert made["rejected"]["text"] == f"{ROME} {Y1889} {M330}"
    assert sum("# Edits" in text for text in model.asked) == 1


@pytest.mark.parametrize(
    ("rewrite", "why"),
    [
        ("No.", "rewrite too short"),
        ("It is high. " * 40, "rewrite too long"),
        (f"# Edits\n{WORSE}", "prompt in the rewrite"),
        (FIRST, "nothing rewritten"),
        ("", "rewrite: unparsable"),
        (Reply("The tower", "length"), "rewrite: truncated"),
        ("I'm sorry, I can't help with that.", "rewrite: refused"),
    ],
)
def test_a_poor_rewrite_falls_back_to_whole_answers(rewrite: str | Reply, why: str) -> None:
    told: Script = [("# Edits", rewrite), *script()]
    [made], _ = overwritten(told, FIRST, SECOND)
    assert made["overwrite_fallback"] == why
    assert (made["chosen"]["text"], made["rejected"]["text"]) == (FIRST, SECOND)
    assert made["overwrite_base"] is made["overwrite_up"] is None
    origin = made["rejected"]["made_by"]
    assert (origin["method"], json.loads(origin["params"])["why"]) == ("whole answer", why)
    dropped, _ = overwritten(told, FIRST, SECOND, fallback="drop")
    assert dropped.reason == why


def test_without_enough_claims_that_differ_whole_answers_stand() -> None:
    """Without alternatives the height is not in dispute: two claims are fewer than three."""
    [made], model = overwritten(script(), FIRST, SECOND, alternatives=0)
    assert made["overwrite_fallback"] == "no answer qualifies"
    assert not any("plain statement" in text for text in model.asked)
    [made], _ = overwritten(script(), FIRST, SECOND, alternatives=0, least=2)
    assert made["overwrite_fallback"] is None and made["overwrite_down"] == 2


def test_answers_that_score_alike_are_no_pair() -> None:
    told = script({"Paris": [PARIS], "Paris!": [PARIS]})
    found, _ = overwritten(told, "Paris", "Paris!")
    assert found.reason == "answers score alike" and found.values["score"] == pytest.approx(0.96)


def test_pitfall_facts_and_questions_that_differ_are_counted() -> None:
    """The released code drops such answers silently; a fact without a question cannot be told from the next one's."""
    short: Script = [(["open questions", f"1. {ROME}"], items("What?", "When?")), *script()]
    found, _ = overwritten(short, FIRST, SECOND)
    assert found == Drop("facts and questions differ", {"ok": 1, "facts and questions differ": 1})
    third = f"{PARIS} {Y1901}"
    told: Script = [*short[:1], *script({**SPLITS, third: [PARIS, Y1901]})]
    [made], _ = overwritten(told, FIRST, SECOND, third, least=1)
    assert made["claims_outcome"] == ["ok", "facts and questions differ", "ok"]
    assert made["claims_score"][1] is None


@pytest.mark.parametrize(
    ("entry", "outcome"),
    [
        ((f"# Text\n{SECOND}", "no list"), "split: unparsable"),
        ((f"# Text\n{SECOND}", Reply('{"items": ["The', "length")), "split: truncated"),
        ((f"# Text\n{SECOND}", items()), "no facts"),
        ((["only be answered", f"1. {ROME}"], "no list"), "ask_whether: unparsable"),
        (("Is it so:", "perhaps"), "no claim was judged"),
    ],
)
def test_an_answer_that_cannot_be_taken_apart_says_why(entry: Any, outcome: str) -> None:
    found, _ = overwritten([entry, *script()], FIRST, SECOND)
    assert found.reason == "fewer than two answers taken apart" and found.values[outcome] >= 1


def test_a_claim_without_a_sound_yes_or_no_has_no_chance_at_all() -> None:
    told: Script = [(f"Is it so: {Y1889}", "Hard to say."), *script()]
    [made], _ = overwritten(told, FIRST, SECOND, least=2)
    assert Y1889 not in [claim["claim"] for claim in made["topics"]]
    assert made["claims_score"][0] == pytest.approx((0.96 + 0.6) / 2)


def test_pitfall_the_last_alternative_met_is_not_the_best() -> None:
    """The released code keeps the last true or false one; the paper, and the default, the extreme one."""
    lyon = "The Eiffel Tower stands in Lyon."
    third = lyon
    topics = [*TOPICS, {lyon, PARIS}, {lyon, ROME}]
    told = script({**SPLITS, third: [lyon]})
    told.insert(0, (f"Is it so: {lyon}", with_chances("no", {"yes": 0.4, "no": 0.6})))
    told[1:1] = [([kind, f"1. {b}{x}\n2. {b}{y}"], "yes") for t in topics[3:] for x in t for y in t
                 for kind, b in (("the same property", ""), ("ask for the same", "What of: "))]  # fmt: skip
    for pick, new in (("best", ROME), ("last_met", lyon)):
        [made], _ = overwritten(told, FIRST, SECOND, third, alternative=pick)
        first = json.loads(made["rejected"]["made_by"]["params"])["edits"][0]
        assert (first["old"], first["new"]) == (PARIS, new)


def test_pitfall_only_the_first_300_words_are_taken_apart() -> None:
    long = " ".join(f"w{k}" for k in range(400))
    told = script({**SPLITS, "Paris": [PARIS]})
    [made], model = overwritten([(["w299\n\nList"], items(PARIS)), *told], long, SECOND)
    assert made["claims_outcome"] == ["ok", "ok"] and not any("w300" in text for text in model.asked)


def test_pitfall_pairs_of_claims_are_not_all_asked_about() -> None:
    """n² questions otherwise: unlike claims are passed over, and never two of one answer."""
    _, model = overwritten(script(), FIRST, SECOND, floor=0.7)
    asked = [text.rpartition("\n\nReply")[0].partition("\n")[2] for text in model.asked if "same property" in text]
    assert sorted(asked) == sorted(f"1. {a}\n2. {b}" for a, b in ((PARIS, ROME), (Y1889, Y1901), (M330, M330)))
    _, model = overwritten(script(), FIRST, SECOND, floor=0.7, pairs=1)
    assert sum("same property" in text for text in model.asked) == 1
    _, model = overwritten(script(), FIRST, SECOND, encoder=None)
    assert sum("same property" in text for text in model.asked) == 9


def test_without_log_probabilities_a_yes_counts_one() -> None:
    [made], _ = overwritten(script(soft=False), FIRST, SECOND)
    assert made["claims_score"] == [1.0, pytest.approx(-1 / 3)]
    [made], _ = overwritten(script(soft=False), FIRST, SECOND, soft=False, score="incorrect_num", least=9)
    assert made["claims_score"] == [0.0, -2.0] and made["overwrite_fallback"] == "no answer qualifies"


def test_rows_that_cannot_be_asked_about() -> None:
    assert overwritten([], FIRST, None)[0] == Drop("fewer than two candidates", {"candidates": 1})
    assert overwritten([], FIRST, " ")[0].reason == "fewer than two candidates"
    with pytest.raises(CallError, match="down"):
        overwritten([("# Text", CallError("down"))], FIRST, SECOND)
    [made], _ = overwritten(script(), FIRST, None, SECOND)
    assert made["claims_outcome"] == ["ok", "not read", "ok"] and made["topics"][4]["answer"] == 2
