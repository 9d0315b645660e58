"""Recipes for hard, graded, random and counterfactual negatives run end to end, and cost what their headers say."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from rather.cli import api
from rather.synth.swaps import OPENERS

from .faking import calls, faked, written
from .test_overwriting_recipes import NOUNS, pairs


def test_neighbouring_instructions(tmp_path: Path) -> None:
    """Four of eleven prompts have a near one; a judge confirms three of their answers as worse."""
    said: list[tuple[str | list[str], str | list[str]]] = [
        (["one word: A, B or tie", f"# Answer A\nThe {noun} is hardly"], "A" if noun == "harbour" else "B")
        for noun in NOUNS
    ]
    said.append(("one word: A, B or tie", "A"))
    said += [(f"Tell me about the {noun}.", f"The {noun} is hardly what I can tell you about.") for noun in NOUNS]
    view = faked("llmbar-neighbor", pairs().drop_columns("rejected"), tmp_path, said)
    found = written(tmp_path)
    near = {"treaty": "senate", "senate": "treaty", "harbour": "treaty"}
    assert {row["prompt"]: row["neighbor_instruction"] for row in found} == {
        f"Tell me about the {noun}.": f"Tell me about the {other}." for noun, other in near.items()
    }
    assert all(row["confirmed_p"] == 1.0 and 0.5 < row["instruction_similarity"] < 0.98 for row in found)
    dropped = {count.stage: count.dropped for count in view.funnel}
    assert dropped["synth.neighbor_instruction"] == {"instructions too unlike": 7}
    assert dropped["synth.confirm_worse"] == {"not confirmed: the orders disagree": 1}, "the whale's, by the harbour"
    assert calls(view) == 3 * 4 - 1, "two prompts have one neighbour, whose answer is paid for once"


def test_written_neighbouring_instructions(tmp_path: Path) -> None:
    """A judge confirms all but one; one prompt needs a second variation."""
    said: list[tuple[str | list[str], str | list[str]]] = [
        (["one word: A, B or tie", f"# Answer A\nThe {noun} is hardly"], "B") for noun in NOUNS[1:]
    ]
    for noun in NOUNS:
        other = f"Tell me about the {noun} in a poem."
        tries = ["Sing!", other] if noun == "poem" else [other]
        wrong = f"The {noun} is hardly to be told about in verse."
        said += [([f"# Instruction\nTell me about the {noun}.", "Reply with your"], tries * (2 // len(tries)))]
        said += [(other, wrong)]
    said.append(("one word: A, B or tie", "A"))
    rows = pairs().drop_columns("rejected")
    script = [(texts, reply[::-1] if isinstance(reply, list) else reply) for texts, reply in said]
    view = faked("llmbar-neighbor", rows, tmp_path, script, "synth.neighbor_instruction.instruction=null")
    found = written(tmp_path)
    assert len(found) == len(NOUNS) - 1 and {row["confirmed_p"] for row in found} == {1.0}
    assert all(row["rejected"].endswith("in verse.") and row["instruction_similarity"] > 0.5 for row in found)
    dropped = {count.stage: count.dropped for count in view.funnel}["synth.confirm_worse"]
    assert dropped == {"not confirmed: the orders disagree": 1}
    assert calls(view) == 4 * len(NOUNS) + 1


def test_pronouns(tmp_path: Path) -> None:
    view = api.run("ruff", ["synth.template_contrast.rows=60"], out=tmp_path / "run")
    found = written(tmp_path)
    assert len(found) == 60 and sorted({row["distractors"] for row in found}) == [0, 1, 2, 3, 4, 5]
    assert all(row["chosen"] != row["rejected"] for row in found) and calls(view) == 0
    assert isinstance(pq.read_table(tmp_path / "run" / "data" / "data")["prompt"][0].as_py(), str)


def test_graded_likeness(tmp_path: Path) -> None:
    """Each rate has its own text by the number of its masks; likeness falls as more words are masked.

    All texts are graded; pairs are those a judge confirms, here all but those of the last prompt.
    """
    script: list[tuple[str | list[str], str | list[str]]] = []
    for noun in NOUNS:
        asked, told = f"about the {noun}.\n\n# Answer A", "tie" if noun == NOUNS[-1] else None
        script += [([asked, f"# Answer {letter}\nThe {noun} is"], told or letter) for letter in ("A", "B")]
        again = f"Well known is the {noun}, as the book has some."
        script += [(["Say the same", noun], again), (["# Second text", again], '{"reason": "so", "similarity": 0.9}')]
    script += [
        ("Each <mask> stands", "Something else is in the book."),
        ("# Second text", '{"reason": "", "similarity": 0.3}'),
    ]
    view = faked("claif", pairs().drop_columns("rejected"), tmp_path, script)
    found = written_own(tmp_path, "graded")
    again = [row for row in found if row["mask_rate"] == 0]
    assert len(again) == len(NOUNS) and {(row["verdict"], round(row["similarity"], 3)) for row in again} == {
        ("tie", 0.82)
    }
    assert sum(row["mask_rate"] is None for row in found) == 2 * len(NOUNS)
    assert sum(bool(row["mask_rate"]) for row in found) == len(NOUNS), "the other seven repeat it"
    # one judgement of each text: equal requests are paid for once, and seven of nine copies are the same here
    confirmed = written_own(tmp_path, "data")
    assert [row["confirmed_p"] for row in confirmed].count(1.0) == 3 * (len(NOUNS) - 1)
    assert sum(row["verdict"] == "tie" for row in confirmed) == len(NOUNS), "ties claim nothing"
    assert len(confirmed) == 3 * (len(NOUNS) - 1) + len(NOUNS)
    assert calls(view) == (9 + 2 + 2 * 3) * len(NOUNS)


def written_own(folder: Path, name: str) -> list[dict[str, object]]:
    """The rows written in our own columns."""
    rows: list[dict[str, object]] = pq.read_table(folder / "run" / name / "data").to_pylist()
    return rows


def test_random_negatives_and_their_risk(tmp_path: Path) -> None:
    rows = pairs().drop_columns("rejected")
    view = faked("random-negatives", rows, tmp_path, [])
    found = written(tmp_path)
    facts = view.facts["diagnose.false_negative_risk"]
    assert facts["k"] == 3 and 0 < len(found) == 3 * len(NOUNS) - facts["left_out"]
    assert all(row["chosen"] != row["rejected"] for row in found) and calls(view) == 0


def test_a_judge_that_follows_length_is_found_out(tmp_path: Path) -> None:
    """It prefers what begins with idle words, and else the answer that is right: names and tone do not matter to it."""
    script: list[tuple[str | list[str], str | list[str]]] = []
    for begin in (*OPENERS, *(f"The {noun} is well" for noun in NOUNS)):
        script += [(f"# Answer {letter}\n{begin}", letter) for letter in ("A", "B")]
    script.append(("# Tone", "The thing is hardly known at all, none of it is in any book!"))
    view = faked("counterfactual-swap", pairs("Emily asks about the {}."), tmp_path, script)
    told = {line["measure"]: line["value"] for line in view.facts["diagnose.invariance"]["measures"]}
    assert told["length: verdict changes"] == 1.0 and told["length: the score moves"] == -1.0
    assert told["names: verdict changes"] == told["tone: verdict changes"] == 0.0
    assert told["all swaps: verdict changes"] == 0.3333 and told["swaps without a score to compare"] == 0.0
    kinds = [row["swap"] for row in written(tmp_path)]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(("original", "names", "length", "tone"), 11)
    assert calls(view) == 9 * len(NOUNS)


def test_answers_that_only_look_good(tmp_path: Path) -> None:
    """One is longer by far and gives itself away; the judge confirms the others."""
    said: list[tuple[str | list[str], str | list[str]]] = []
    for k, noun in enumerate(NOUNS):
        hollow = f"Of the {noun} a great deal may be told, and has been."
        said.append((["Write an example", noun], hollow * (5 if k == 3 else 1)))
    said += [("# Answer A\nThe", "A"), ("# Answer A\nOf the", "B")]
    view = faked("llmbar-gptout", pairs().drop_columns("rejected"), tmp_path, said)
    found = written(tmp_path)
    assert len(found) == len(NOUNS) - 1 and {row["confirmed_p"] for row in found} == {1.0}
    dropped = {count.stage: count.dropped for count in view.funnel}["synth.superficial_answer"]
    assert dropped == {"given away by its length": 1}
    assert calls(view) == 3 * (len(NOUNS) - 1) + 1, "who is dropped is not confirmed"
