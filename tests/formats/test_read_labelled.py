"""Pairs by a label, by an instruction with its input, and of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.formats.read_pairs import ReadPairs

from .test_read_pairs import answer, message, pair, read, said


@pytest.mark.parametrize(
    ("names", "label", "values"),
    [
        (("output_1", "output_2"), "preference", (1, 2, 1.5)),
        (("response_a", "response_b"), "winner", ("model_a", "model_b", "tie (bothbad)")),
        (("response_a", "response_b"), "preference", ("A", " b", "equal")),
        (("response_1", "response_2"), "majority", (1, 2, 0)),
        (("response1", "response2"), "overall_preference", (-3, 1, 0)),
        (("response_0", "response_1"), "better_response_id", (0, 1, -1)),
        (("human_ref_A", "human_ref_B"), "labels", (1, 0, 0.5)),
        (("answer_a", "answer_b"), "label", ("1", "2", "0")),
    ],
)
def test_two_answers_and_a_label(tmp_path: Path, names: tuple[str, str], label: str, values: tuple[Any, ...]) -> None:
    """The first wins, the second wins, a tie keeps its order."""
    rows = [{"prompt": "p", names[0]: "one", names[1]: "two", label: value} for value in values]
    found = read(tmp_path, rows)
    kept = [row.pop(label) for row in found]
    assert kept == list(values)
    first, second = pair("p", "one", "two"), pair("p", "two", "one")
    assert found == [first, second, first | {"verdict": "tie"}]


def test_what_a_label_means_can_be_said(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "good": "one", "bad": "two", "vote": value} for value in (1, 0)]
    columns = {"first": "good", "second": "bad", "label": "vote"}
    found = read(tmp_path, rows, columns=columns, label_means="first_wins")
    assert found == [pair("p", "one", "two", label=1), pair("p", "two", "one", label=0)]


def test_an_arena_of_whole_conversations(tmp_path: Path) -> None:
    sides = {f"conversation_{x}": said(("user", "p"), ("assistant", x)) for x in "ab"}
    row = sides | {"winner": "model_b", "model_a": "M", "model_b": "N"}
    expected = pair("p", "b", "a") | {"chosen": answer("b", model="N"), "rejected": answer("a", model="M")}
    assert read(tmp_path, [row]) == [expected | {"winner": "model_b"}]


def test_an_instruction_with_its_input(tmp_path: Path) -> None:
    row = {"instruction": "i", "output_1": "a", "output_2": "b", "preference": 1}
    rows = [row | {"input": more} for more in ("x", "")]
    assert [row["prompt"][0]["content"] for row in read(tmp_path, rows)] == ["i\n\nx", "i"]


def test_a_label_that_tells_nothing(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "response_a": "1", "response_b": "2", "winner": value} for value in ("a", "zebra", None)]
    with pytest.raises(InputError, match="'zebra' tells no preference"):
        read(tmp_path, rows)
    found = read(tmp_path, rows, bad_lines="drop")
    lost = {"chosen": None, "rejected": None, "verdict": None, "read_error": "no usable label"}
    assert found[0] == pair("p", "1", "2", winner="a", read_error=None)
    assert found[1:] == [pair("p", "", "", winner=value) | lost for value in ("zebra", None)]


def test_images_as_answers_and_as_context(tmp_path: Path) -> None:
    """Pick-a-Pic keeps two JPEGs and `label_0` (1 = the first, .5 = a tie); a VQA set has one `image` a row."""
    table = pa.table({"caption": ["c", "d"], "jpg_0": [b"x", b"y"], "jpg_1": [b"z", b"w"], "label_0": [0.0, 0.5]})
    pq.write_table(table, tmp_path / "pick.parquet")
    first, second = pa.concat_tables(ReadPairs(path=str(tmp_path / "pick.parquet")).batches()).to_pylist()
    assert first["chosen"] == answer(None, image={"bytes": b"z", "path": None})
    assert first["prompt"] == [message("user", "c")]
    assert second["verdict"] == "tie" and second["chosen"]["image"]["bytes"] == b"y"
    image = {"bytes": b"i", "path": "i.png"}
    table = pa.table({"image": [image], "question": ["q"], "chosen": ["a"], "rejected": ["b"]})
    pq.write_table(table, tmp_path / "vqa.parquet")
    (row,) = pa.concat_tables(ReadPairs(path=str(tmp_path / "vqa.parquet")).batches()).to_pylist()
    assert row == pair("q", "a", "b", images=[image])
