"""Records of critique fine-tuning: the columns its trainers read, in as many shards as there are."""

from __future__ import annotations

import pyarrow as pa
from rather.formats.dialects import dialect
from rather.formats.rendering import Form
from rather.synth.critique_records import critic_prompt, instruction

from ..frames import pairs


def test_a_critique_is_instruction_input_and_output() -> None:
    asked = critic_prompt("What is 2 + 2?\nQuestion:\nreally?", "It is 5.")[0]["content"]
    table = pairs([asked, "Plain prompt"], ["No.\nConclusion: wrong", "Answer"], ["", ""])
    assert dialect("cft").convert(table, Form(text=True)).to_pylist() == [
        {
            "instruction": instruction(),
            "input": "Question:\nWhat is 2 + 2?\nQuestion:\nreally?\n\nSolution:\nIt is 5.",
            "output": "No.\nConclusion: wrong",
        },
        {"instruction": "Plain prompt", "input": "", "output": "Answer"},
    ]
    assert f"{instruction()}\nQuestion:" in asked and "\n\nSolution:\n" in asked, "where the authors' parser splits"


def test_a_row_without_a_critique_is_named() -> None:
    table = pairs(["a", "b"], [None, "x"], ["", ""], verdict=pa.array(["prefer", "tie"]))
    assert dialect("cft").unfit(table).to_pylist() == ["no chosen answer", "tie"]
