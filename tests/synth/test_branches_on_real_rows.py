"""Three real rows a method, one for each way it can go: kept, left out in part, dropped; the rows in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.causal_augment import CausalAugment
from rather.synth.neighbor_instruction import NeighborInstruction
from rather.synth.overwrite_topics import OverwriteTopics
from rather.synth.reference_feedback import ReferenceFeedback
from rather.synth.refine import Refine
from rather.synth.rubric import Rubric

from .scripted import ran, real_pairs, texts
from .test_overwrite_topics import REAL, items, with_chances
from .test_overwrite_topics import row as candidates
from .test_refine import DRAWN, heeding
from .test_rubric import PRIME, SHORT, WRITING, judge, said

NEW = ["Describe how bread rises to a baker's apprentice.", "Compare two ways of storing wind power for a town hall."]
REFUSAL = "I'm sorry, I can't help with that."
CUT = Reply("It is a", "length")


def test_refed(data: Path) -> None:
    """Both pairs sound; one draft refused; feedback on the answer cut off."""
    seeds = real_pairs(data, "dpo_demo_en.jsonl")
    for seed, draft, feedback, kept in zip(
        seeds, ("By yeast.", REFUSAL, "By yeast."), ("Plain words.", "Plain words.", CUT), (2, 1, 0), strict=True
    ):
        script = [
            ("What makes this prompt valuable", "Names its reader."),
            ("What makes this answer good", feedback),
            ("new prompts with the same qualities", json.dumps({"items": NEW})),
            (["The revised answer:", NEW[0]], "Yeast makes gas, and gas lifts the dough."),
            (["The revised answer:", NEW[1]], "Pumped water stores more than batteries do."),
            (NEW[0], draft),
            (NEW[1], "There are many ways."),
        ]
        found, model = ran(ReferenceFeedback(new=2), seed, script)
        if not kept:
            assert found == Drop("answer_feedback: truncated", {"reply": "nothing was said"})
            assert not any("new prompts with" in text for text in model.asked), "nothing more is paid for"
            continue
        pairs = [
            (NEW[0], "Yeast makes gas, and gas lifts the dough.", "By yeast."),
            (NEW[1], "Pumped water stores more than batteries do.", "There are many ways."),
        ][-kept:]
        shared = {
            "verdict": "prefer", "seed_id": "row0", "seed_prompt": seed["prompt"][0]["content"],
            "seed_answer": seed["chosen"]["text"], "prompt_feedback": "Names its reader.",
            "answer_feedback": "Plain words.", "seed_repeats": 0, "seed_failures": 2 - kept,
        }  # fmt: skip
        assert [texts(row) for row in found] == [
            shared | {"prompt": prompt, "chosen": better, "rejected": worse} for prompt, better, worse in pairs
        ]


FACT = {"name": "correctness", "meaning": "What it says is true."}


def test_crome(data: Path) -> None:
    """Both edits done; the one refused and the other not verified; no attributes at all."""
    rows = [row | {"prompt_hash": 3} for row in real_pairs(data, "truthfulqa.jsonl")]
    lists = json.dumps({"items": [FACT]})
    for row, listed, worse, verified in zip(
        rows, (lists, lists, "It should be true."), ("{} indeed", REFUSAL, ""), ("yes", "no", ""), strict=True
    ):
        good, bad = row["chosen"]["text"], row["rejected"]["text"]
        script: list[Any] = [
            ("List the attributes", listed), ("# Attributes", lists),
            (["weak or strong", f"# Reply\n{good}\n"], "strong"), (["weak or strong", f"# Reply\n{bad}\n"], "weak"),
            ("Attribute to make worse", worse.format(bad)), ("Attribute to make better", f"{good} indeed"),
            ("Was the order carried out", verified),
        ]  # fmt: skip
        found, model = ran(CausalAugment(length_ratio=9), row, script)
        if listed != lists:
            assert isinstance(found, Drop) and found.reason == "attributes: unparsable" and len(model.asked) == 2
            continue
        blank = dict.fromkeys(("attribute", "direction", "base_side", "length_log_ratio", "judged_margin"))
        faults = [] if verified == "yes" else ["degrade: refused", "edit not verified"]
        shared = {"origin_hash": 3, "augment_faults": faults}
        assert texts(found[0] | {"chosen": None, "rejected": None}) == {
            "augmentation": "original", "verdict": "prefer", "chosen": None, "rejected": None, **blank, **shared,
        }  # fmt: skip
        made = {"augmentation": "causal", "verdict": "prefer", "attribute": "correctness", "judged_margin": None}
        expected = [
            ("degrade", "chosen", good, f"{bad} indeed"),
            ("upgrade", "rejected", f"{good} indeed", bad),
        ]
        assert [{k: v for k, v in texts(one).items() if k != "length_log_ratio"} for one in found[1:]] == [
            shared | made | {"direction": way, "base_side": side, "chosen": chosen, "rejected": rejected}
            for way, side, chosen, rejected in (expected if verified == "yes" else [])
        ]


def test_neighboring_instructions(data: Path) -> None:
    """Kept; a variation that is the prompt itself, written again in vain; an answer nobody falls for."""
    rows = real_pairs(data, "llmbar.jsonl")
    for k, row in enumerate(rows):
        prompt, bad = row["prompt"][0]["content"], row["rejected"]["text"]
        other = prompt if k == 1 else prompt.rpartition(" ")[0] + " once"
        script = [("write another on the same matter", other), (other, "Zzz." if k == 2 else bad)]
        stage = NeighborInstruction(most=0.9999, least_lure=-0.5 if k < 2 else 0.0)
        found, model = ran(stage, row, script, static=StaticText())
        if k == 1:
            assert found == Drop("instructions too alike", {"similarity": pytest.approx(1.0, abs=1e-4)})
            assert len(model.asked) == 2
        elif k == 2:
            assert isinstance(found, Drop) and found.reason == "too far from the prompt to fool"
        else:
            asked, near, right, wrong = StaticText().encode([prompt, other, row["chosen"]["text"], bad]).astype(float)
            assert [texts(one) for one in found] == [{
                "rejected": bad, "verdict": "prefer", "neighbor_instruction": other, "judged_margin": None,
                "instruction_similarity": pytest.approx(float(asked @ near), abs=1e-6),
                "lure": pytest.approx(float(asked @ wrong - asked @ right), abs=1e-6),
            }]  # fmt: skip


def test_tpo(data: Path) -> None:
    """The right answer rewritten into the wrong; a rewrite refused, so that whole answers stand; lists unreadable."""
    lines = (data / "preferences" / "truthfulqa.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    for k, line in enumerate(map(json.loads, lines)):
        rewrite = REFUSAL if k == 1 else f"{line['rejected']}, they say"
        told: list[Any] = [("# Text", "No list."), ("# Edits", rewrite)] if k == 2 else []
        for mark, ([fact], p) in REAL.items():
            told += [
                (["# Text", mark, "List"], items(fact)),
                (["open questions", fact], items(f"What of: {mark}?")),
                (["only be answered", fact], items(f"Is it so: {mark}?")),
                (f"Is it so: {mark}", with_chances("yes" if p > 0.5 else "no", {"yes": p, "no": 1 - p})),
            ]
        told += [("same property", "yes"), ("ask for the same", "yes"), ("# Edits", rewrite)]
        asked = {"prompt": [{"role": "user", "content": line["prompt"]}]}
        stage = OverwriteTopics(alternatives=0, least=1, encoder=None)
        found, model = ran(stage, candidates(line["rejected"], line["chosen"]) | asked, told)
        if k == 2:
            assert found == Drop("fewer than two answers taken apart", {"split: unparsable": 2})
            assert not any("Is it so" in text for text in model.asked), "nothing more is paid for"
            continue
        [made] = found
        assert made["chosen"]["text"] == line["chosen"] and made["verdict"] == "prefer"
        assert made["rejected"]["text"] == (line["rejected"] if k else rewrite)
        assert made["overwrite_fallback"] == (None if k == 0 else "rewrite: refused")
        assert (made["overwrite_base"], made["overwrite_up"], made["overwrite_down"]) == (
            (1, 0, 1) if k == 0 else (None, None, None)
        )
        assert made["claims_score"][0] < 0 < made["claims_score"][1] and made["claims_outcome"] == ["ok", "ok"]
        assert [claim["claim"] for claim in made["topics"]] == [
            fact for text in (line["rejected"], line["chosen"]) for mark, ([fact], _) in REAL.items() if mark in text
        ]


def test_crg(data: Path) -> None:
    """A rubric that leads to the label, one that leads away from it, one that cannot be read."""
    for k, row in enumerate(real_pairs(data, "llmbar.jsonl")):
        better, worse = row["chosen"]["text"][:20], row["rejected"]["text"][:20]
        written = "Both are fine." if k == 2 else said(SHORT, PRIME)
        script = [(WRITING, written), *judge(better if k == 0 else worse)]
        lines = [
            {"id": "h1", "criterion": SHORT["criterion"], "weight": None, "kind": "hard_rule"},
            {"id": "p2", "criterion": PRIME["criterion"], "weight": None, "kind": "principle"},
        ]
        fault = [None, "inconsistent", "unparsable"][k]
        [made], model = ran(Rubric(inconsistent="keep"), row, script)
        made.pop("made_by")
        assert made == {
            "rubric": None if k else lines, "failed_rubric": lines if k == 1 else None, "n_tries": made["n_tries"],
            "consistency": ["pass", "fail", "parse_error"][k], "rubric_fault": fault,
        }  # fmt: skip
        assert (made["n_tries"] == 1) == (k == 0), "it is written again until it passes"
        assert any("by the criteria you are given" in text for text in model.asked) == (k < 2)


def test_ilf(data: Path) -> None:
    """The first of two heeds the feedback better; the second does; none is sound."""
    for k, row in enumerate(real_pairs(data, "llmbar.jsonl")):
        row |= {"critique": {"text": "It does not do what was asked."}}
        better, other = row["chosen"]["text"].strip(), "Here, another attempt."
        drawn = [[better, other], [better, other], [REFUSAL, row["rejected"]["text"]]][k]
        chances = {f"\n{better[:40]}": 0.25 if k else 0.75, other: 0.75 if k else 0.25}
        script = [*heeding(chances), (DRAWN, drawn * 4)]
        found, _ = ran(Refine(samples=2, answer="rejected", retries=2), row, script)
        if k == 2:
            assert found == Drop("no sound refinement", {"drawn": 4})
            continue
        assert [texts(one) for one in found] == [{
            "chosen": other if k else better, "rejected": row["rejected"]["text"], "verdict": "prefer",
            "refinement_score": 0.75,
            "n_refinements": 2, "n_verified": None, "feedback_quoted": 0,
        }]  # fmt: skip
