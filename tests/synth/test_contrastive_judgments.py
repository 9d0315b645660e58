"""Con-J: judgments sampled and hinted, read, shortened and paired."""

from __future__ import annotations

import json
import random

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.contrastive_judgments import ContrastiveJudgments
from rather.synth.critique_judgments import Judgment, hint_pair, read_judgment, sampled_pairs, shortened

from ..judges import FakeContext
from .scripted import Script, ran, row_of

ROW = row_of("Name a prime.", chosen="Three", rejected="Four")
FIRST = FakeContext({}).rng("row0").random() < 0.5
GOLD, OTHER = (1, 2) if FIRST else (2, 1)


def says(better: int | str, reason: str = "it is a prime") -> str:
    return json.dumps({"reason": reason, "better": better})


def script(free: list[str], guide: str, reverse: str) -> Script:
    return [(f"Argue for answer {GOLD}", guide), (f"Argue for answer {OTHER}", reverse), ("# Answer 1", free)]


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ('{"reason": "r", "better": 2}', 2),
        ('```json\n{"reason": "r", "better": "1"}\n```', 1),
        ('I think so. {"reason": "r", "better": 2} That is all.', 2),
        ("reason: it is shorter, better: 1", 1),
        ('{"reason": "cut off in the mid', None),
        ('"better": 1 or "better": 2', None),
        ('{"reason": "r", "better": 3}', None),
        ('{"reason": "r", "better": true}', None),
        ("Both are fine.", None),
    ],
)
def test_a_judgment_is_read_leniently_or_has_no_verdict(text: str, better: int | None) -> None:
    found = read_judgment("sample", 7)(Reply(text))
    assert found.ok and found.value.better == better and found.value.text == text


def test_all_four_kinds_of_pairs() -> None:
    free = [says(GOLD, "a"), says(OTHER, "b"), says(GOLD, "c"), says(OTHER, "d"), "no idea", says(GOLD, "e")]
    stage = ContrastiveJudgments(n=6)
    found, model = ran(stage, ROW, script(free, says(GOLD, "told so"), says(OTHER, "told otherwise")))
    assert [r["pair_type"] for r in found] == ["best_of_n", "best_of_n", "best_of_n_positive2unknown", "preamble"]
    for row in found[:2]:
        assert json.loads(row["chosen"]["text"])["better"] == GOLD
        assert json.loads(row["rejected"]["text"])["better"] == OTHER
    assert found[2]["rejected"]["text"] == "no idea"
    assert {r["chosen"]["text"] for r in found[:2]} <= {says(GOLD, x) for x in "ace"}
    assert all((r["judged_right"], r["judged_wrong"], r["judged_unknown"]) == (3, 2, 1) for r in found)
    assert all(r["better_answer"] == GOLD and r["verdict"] == "prefer" for r in found)
    assert len(model.asked) == stage.calls_a_row() == 8
    hinted = found[3]
    assert hinted["chosen"] == {
        "text": says(GOLD, "told so"), "turns": None, "image": None, "model": "scripted",
        "made_by": {
            "stage": "synth.contrastive_judgments", "method": "guide", "model": "scripted", "seed": 7,
            "params": '{"shortened":false,"temperature":1.2,"top_p":0.95}',
        },
    }  # fmt: skip
    assert hinted["rejected"]["made_by"]["method"] == "guide_reverse", "dishonest judgments are told apart"


def test_pitfall_the_hint_is_not_in_the_stored_prompt() -> None:
    found, model = ran(ContrastiveJudgments(n=1), ROW, script(["eh"], says(GOLD), says(OTHER)))
    [row] = found
    stored = "\n\n".join(message["content"] for message in row["prompt"])
    assert sum("Argue for" in text for text in model.asked) == 2 and "Argue for" not in stored
    shown = ("Three", "Four") if FIRST else ("Four", "Three")
    assert f"# Answer 1\n{shown[0]}\n\n# Answer 2\n{shown[1]}" in stored
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]


def test_the_order_is_the_rows_own_chance() -> None:
    rows = [ROW | {"id": f"row{k}"} for k in range(40)]
    free: Script = [("Argue for answer 1", says(1)), ("Argue for answer 2", says(2)), ("# Answer 1", "eh")]
    firsts = [ran(ContrastiveJudgments(n=1), row, free)[0][0]["better_answer"] for row in rows]
    assert 10 <= firsts.count(1) <= 30
    assert firsts == [ran(ContrastiveJudgments(n=1), row, free)[0][0]["better_answer"] for row in rows]


def test_pitfall_later_turns_are_not_lost() -> None:
    prompt = [
        {"role": role, "content": text}
        for role, text in (("user", "Name a prime."), ("assistant", "Two"), ("user", "Another."))
    ]
    _, model = ran(ContrastiveJudgments(n=1, hints=False), ROW | {"prompt": prompt}, [("# Answer 1", "eh")])
    assert "User: Name a prime.\n\nAssistant: Two\n\nUser: Another." in model.asked[0]


def test_items_without_a_pair_are_counted_as_lost() -> None:
    found, _ = ran(ContrastiveJudgments(n=2), ROW, script([says(GOLD)] * 2, says(OTHER), says(OTHER)))
    assert found == Drop("no pair of judgments", {"judged_right": 2, "judged_wrong": 0, "judged_unknown": 0})
    silent, _ = ran(ContrastiveJudgments(n=1), ROW, [("# Answer 1", "")])
    assert silent == Drop("judge: no reply")
    assert ran(ContrastiveJudgments(), ROW | {"verdict": "tie"}, [])[0] == Drop("tie")


def test_hinted_judgments_pair_unless_one_contradicts_its_hint() -> None:
    def judged(better: int | None, method: str = "guide") -> Judgment:
        return Judgment(f"{better}", method, 7, better)

    for guide, reverse, kind in (
        (1, 2, "preamble"),
        (1, None, "preamble2unknown"),
        (None, 2, "preamble2unknown"),
        (None, None, None),
        (2, 2, None),
        (1, 1, None),
    ):
        pair = hint_pair(judged(guide), judged(reverse, "guide_reverse"), 1)
        assert (pair.kind if pair else None) == kind
    assert hint_pair(Judgment("", "guide", 7), judged(2), 1) is None, "no reply is no judgment"


def test_samples_are_used_once_and_at_most_three_times() -> None:
    free = [Judgment(f"r{k}", "sample", k, 1) for k in range(5)] + [Judgment(f"w{k}", "sample", k, 2) for k in range(4)]
    pairs = sampled_pairs(free, 1, 3, 1, random.Random(0))
    assert len(pairs) == 3 == len({p.chosen.text for p in pairs}) == len({p.rejected.text for p in pairs})
    assert sampled_pairs(free[:5], 1, 3, 1, random.Random(0)) == []


def test_a_long_reason_is_cut_at_a_full_stop() -> None:
    reason = "It names a prime. " * 300
    long = Judgment(says(1, reason), "guide", 7, 1, reason)
    cut = shortened(long, 600, 400)
    assert cut.shortened and cut.better == 1 and json.loads(cut.text) == {"reason": cut.reason, "better": 1}
    assert cut.reason == ("It names a prime. " * 80).strip(), "five words and signs a sentence"
    assert shortened(long, len(long.text), 400) == long, "short texts stay"
    assert shortened(long, 600, 1500) == long
    endless = Judgment(says(1, "word " * 500), "guide", 7, 1, "word " * 500)
    assert shortened(endless, 600, 400) == endless, "no full stop to cut at"
