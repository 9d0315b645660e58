"""Every layout of preference pairs, from hand-written rows to rows asserted in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.row import ANSWER, MESSAGES
from rather.formats.read_pairs import ReadPairs

TALK = "\n\nHuman: hi\n\nAssistant: yo\n\nHuman: how?\n\nAssistant: fine"
Row = dict[str, Any]


def said(*turns: tuple[str, str]) -> list[Row]:
    """Messages as a source writes them."""
    return [{"role": role, "content": content} for role, content in turns]


def message(role: str, content: str | None, **more: Any) -> Row:
    """A message as a row holds it."""
    return {"role": role, "content": content, "parts": None, "tool_calls": None} | more


def answer(text: str | None, *turns: Row, **more: Any) -> Row:
    """An answer as a row holds it."""
    empty = {"text": text, "turns": list(turns) or None, "image": None, "model": None, "made_by": None}
    return empty | more


def pair(prompt: str, chosen: str, rejected: str, **more: Any) -> Row:
    """A row of one user turn and two plain answers."""
    made = {"prompt": [message("user", prompt)], "chosen": answer(chosen), "rejected": answer(rejected)}
    return made | {"verdict": "prefer"} | more


def written(folder: Path, rows: list[Row]) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def read(folder: Path, rows: list[Row], **options: Any) -> list[Row]:
    source = ReadPairs(path=written(folder, rows), **options)
    assert source.faults() == []
    table = pa.concat_tables(source.batches())
    assert list(source.schema_names()) == table.column_names
    for name, kind in (("prompt", MESSAGES), ("chosen", ANSWER), ("rejected", ANSWER)):
        assert table.schema.field(name).type == kind
    table.validate(full=True)
    return table.to_pylist()


def test_strings(tmp_path: Path) -> None:
    rows = [
        {"id": 7, "prompt": "p", "chosen": "a", "rejected": ""},
        {"id": 8, "prompt": "q", "chosen": None, "rejected": "d"},
    ]
    found = read(tmp_path, rows)
    assert found[0] == pair("p", "a", "", source_id="7")
    assert found[1] == pair("q", "", "d", source_id="8") | {"chosen": None}


def test_a_prompt_that_is_a_transcript(tmp_path: Path) -> None:
    """Cues become roles; the last, empty `Assistant:` is no message; a plain neighbour stays plain."""
    rows = [
        {"prompt": "\n\nHuman: hi\n\nAssistant: yo\n\nHuman: how?\n\nAssistant:", "chosen": "a", "rejected": "b"},
        {"prompt": "Tell me of Human: rights", "chosen": "a", "rejected": "b"},
    ]
    talk = [message("user", "hi"), message("assistant", "yo"), message("user", "how?")]
    found = read(tmp_path, rows)
    assert found == [pair("", "a", "b") | {"prompt": talk}, pair("Tell me of Human: rights", "a", "b")]


def test_whole_transcripts(tmp_path: Path) -> None:
    """The prompt ends before the last assistant turn both begin with: also when one dialogue holds the other,
    when they part at the first answer, when they are equal, and when one is missing."""
    rows = [
        {"chosen": TALK, "rejected": TALK.replace("fine", "bad")},
        {"chosen": TALK, "rejected": TALK + "\n\nHuman: more\n\nAssistant: ok"},
        {"chosen": TALK, "rejected": TALK.replace("yo", "ey")},
        {"chosen": TALK, "rejected": TALK},
        {"chosen": TALK, "rejected": None},
    ]
    found = read(tmp_path, rows)
    hi, yo, how = message("user", "hi"), message("assistant", "yo"), message("user", "how?")
    fine = message("assistant", "fine")
    assert [row["prompt"] for row in found] == [[hi, yo, how], [hi, yo, how], [hi], [hi, yo, how], [hi, yo, how]]
    assert [row["chosen"] for row in found[:2]] == [answer("fine"), answer("fine")]
    longer = answer("fine\n\nmore\n\nok", fine, message("user", "more"), message("assistant", "ok"))
    assert found[0]["rejected"] == answer("bad") and found[1]["rejected"] == longer
    assert found[2]["chosen"] == answer("yo\n\nhow?\n\nfine", yo, how, fine)
    assert found[2]["rejected"] == answer("ey\n\nhow?\n\nfine", message("assistant", "ey"), how, fine)
    assert found[3]["chosen"] == found[3]["rejected"] == answer("fine")
    assert found[4]["chosen"] == answer("fine") and found[4]["rejected"] is None


def test_a_prompt_beside_whole_transcripts(tmp_path: Path) -> None:
    rows = [{"prompt": "hi", "chosen": TALK, "rejected": TALK.replace("fine", "bad")}]
    (row,) = read(tmp_path, rows)
    assert [m["content"] for m in row["prompt"]] == ["hi", "yo", "how?"]
    assert (row["chosen"], row["rejected"], row["source_prompt"]) == (answer("fine"), answer("bad"), "hi")
    (kept,) = read(tmp_path, rows, layout="explicit")
    assert kept["prompt"] == [message("user", "hi")] and kept["chosen"] == answer(TALK)


def test_message_lists_with_an_implicit_prompt(tmp_path: Path) -> None:
    """UltraFeedback binarized: the prompt stands in the answers as well; scores stay beside the pair."""
    start = [("system", "s"), ("user", "p")]
    chosen, rejected = said(*start, ("assistant", "a")), said(*start, ("assistant", "b"))
    scores = {"score_chosen": 8.5, "score_rejected": 2.0}
    row = {"prompt": "p", "prompt_id": "x", "chosen": chosen, "rejected": rejected, "messages": chosen} | scores
    prompt = {"prompt": [message("system", "s"), message("user", "p")]}
    more = {"source_id": "x", "prompt_id": "x", "messages": chosen} | scores
    assert read(tmp_path, [row]) == [pair("", "a", "b", **more) | prompt]
    bare = {"chosen": chosen, "rejected": rejected}
    assert read(tmp_path, [bare]) == [pair("", "a", "b") | prompt]


def test_message_lists_with_an_explicit_prompt(tmp_path: Path) -> None:
    reply = [("assistant", "b"), ("user", "c"), ("assistant", "d")]
    row = {"prompt": said(("user", "p")), "chosen": said(("assistant", "a")), "rejected": said(*reply)}
    turns = [message(role, content) for role, content in reply]
    assert read(tmp_path, [row]) == [pair("p", "a", "b") | {"rejected": answer("b\n\nc\n\nd", *turns)}]


def test_share_gpt(tmp_path: Path) -> None:
    talk = [{"from": "system", "value": "s"}, {"from": "human", "value": "h"}]
    row = {"conversations": talk, "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}
    prompt = [message("system", "s"), message("user", "h")]
    assert read(tmp_path, [row]) == [pair("", "a", "b") | {"prompt": prompt}]


def test_strings_and_messages_mixed_in_one_column(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "chosen": "a", "rejected": "[not a list"},
        {"prompt": "p", "chosen": said(("assistant", "c")), "rejected": said(("assistant", "d"))},
        {
            "prompt": "p",
            "chosen": said(("user", "p"), ("assistant", "e")),
            "rejected": said(("user", "p"), ("assistant", "f")),
        },
    ]
    assert read(tmp_path, rows) == [pair("p", "a", "[not a list"), pair("p", "c", "d"), pair("p", "e", "f")]


def test_a_system_column(tmp_path: Path) -> None:
    rows = [{"system": text, "question": "q", "chosen": "a", "rejected": "b"} for text in ("s", "", None)]
    plain = pair("q", "a", "b")
    assert read(tmp_path, rows) == [plain | {"prompt": [message("system", "s"), message("user", "q")]}, plain, plain]


def test_content_of_typed_parts(tmp_path: Path) -> None:
    """Images are numbered through the row; a message of one text part is plain text."""
    parts = [
        {"type": "image"},
        {"type": "text", "text": "which"},
        {"type": "image_url"},
        {"type": "text", "text": "is red?"},
    ]
    talk = [{"role": "user", "content": parts}, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]
    other = [talk[0], {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]
    seen = [
        {"type": "image", "text": None, "image": 0}, {"type": "text", "text": "which", "image": None},
        {"type": "image", "text": None, "image": 1}, {"type": "text", "text": "is red?", "image": None},
    ]  # fmt: skip
    prompt = [message("user", "which\nis red?", parts=seen)]
    assert read(tmp_path, [{"chosen": talk, "rejected": other}]) == [pair("", "a", "b") | {"prompt": prompt}]


def test_tool_calls_keep_their_turn(tmp_path: Path) -> None:
    calls = [{"type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]
    chosen = [{"role": "assistant", "content": None, "tool_calls": calls}]
    row = {"prompt": "p", "chosen": chosen, "rejected": said(("assistant", "b"))}
    kept = message("assistant", None, tool_calls=json.dumps(calls, sort_keys=True, separators=(",", ":")))
    assert read(tmp_path, [row]) == [pair("p", "", "b") | {"chosen": answer(None, kept)}]


def test_names_that_are_ours_or_reserved(tmp_path: Path) -> None:
    """A reserved name is kept where the type fits (weight, a tie's verdict), else it is source_<name>."""
    row: Row = {"id": "k", "prompt": "p", "good": "a", "rejected": "b", "weight": 2, "critique": "c", "place": "x"}
    row |= {"chosen": "old", "verdict": "tie", "extra": {"right": True}, "subset": "s", "margin": 0.5}
    found = read(tmp_path, [row], columns={"chosen": "good", "gold": "extra.right"})
    more = {"source_id": "k", "weight": 2.0, "source_critique": "c", "source_place": "x", "source_chosen": "old"}
    more |= {"verdict": "tie", "extra": {"right": True}, "subset": "s", "margin": 0.5, "gold": True}
    assert found == [pair("p", "a", "b") | more]


def test_our_own_rows_come_back(tmp_path: Path) -> None:
    rows = [{"id": "1", "prompt": "p", "chosen": said(("assistant", "a")), "rejected": "b"}]
    table = pa.concat_tables(ReadPairs(path=written(tmp_path, rows)).batches())
    pq.write_table(table, tmp_path / "ours.parquet")
    again = pa.concat_tables(ReadPairs(path=str(tmp_path / "ours.parquet")).batches())
    assert again.equals(table)


def test_plain_prompts_say_so(tmp_path: Path) -> None:
    """Writers give strings back where the source had strings."""
    plain = ReadPairs(path=written(tmp_path, [{"prompt": "p", "chosen": "a", "rejected": "b"}]))
    assert next(plain.batches()).schema.field("prompt").metadata == {b"form": b"text"}
    talk = ReadPairs(path=written(tmp_path, [{"prompt": said(("user", "p")), "chosen": "a", "rejected": "b"}]))
    assert next(talk.batches()).schema.field("prompt").metadata is None


@pytest.mark.parametrize(
    ("row", "options", "told"),
    [
        ({"prompt": "p", "choosen": "a", "rejected": "b"}, {}, "did you mean choosen?"),
        ({"prompt": "p", "good": "a", "bad": "b"}, {}, "columns there are: bad, good, prompt"),
        ({"prompt": "p", "good": "a"}, {"columns": {"chosen": "god"}}, "no column god; did you mean good?"),
        ({"prompt": "p", "response_a": "a", "response_b": "b"}, {}, "no column tells which is better"),
        ({"chosen": "a", "rejected": "b"}, {"layout": "explicit"}, "no column holds the prompt"),
        ({"prompt": "p", "chosen": [1.5], "rejected": "b"}, {}, "which is no answer"),
    ],
)
def test_no_pair_to_be_found(tmp_path: Path, row: Row, options: Row, told: str) -> None:
    (fault,) = ReadPairs(path=written(tmp_path, [row]), **options).faults()
    assert told in fault


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": [{"role": "user", "text": "x"}], "chosen": "a", "rejected": "b"}, "which is no prompt"),
        ({"prompt": "p", "chosen": [{"role": "user", "content": {"x": 1}}], "rejected": "b"}, "which is no answer"),
    ],
)
def test_columns_of_no_known_make(tmp_path: Path, row: Row, told: str) -> None:
    (fault,) = ReadPairs(path=written(tmp_path, [row])).faults()
    assert told in fault and "understood" in fault


def test_json_that_is_no_dialogue_is_text(tmp_path: Path) -> None:
    """In a column of strings and lists, odd JSON neither breaks the run nor is lost."""
    rows = [
        {"prompt": "p", "chosen": [], "rejected": {"role": 1, "content": [2, {"text": "x"}]}},
        {"prompt": "p", "chosen": "[1]", "rejected": "b"},
    ]
    first, second = read(tmp_path, rows)
    assert first["chosen"] is None and first["rejected"]["text"] == "2\nx"
    assert second == pair("p", "[1]", "b")
