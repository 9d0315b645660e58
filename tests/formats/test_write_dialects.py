"""Every dialect's columns, forms and values, on rows small enough to be written out in full."""

from __future__ import annotations

import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.row import ANSWER, COLUMNS, IMAGE, MESSAGES
from rather.formats.dialects import DIALECTS, dialect
from rather.formats.rendering import Form

from ..frames import pairs

TEXT, MESSAGE, PARTS = Form(text=True), Form(), Form(parts=True)


def user(content: str, **more: object) -> dict:
    return {"role": "user", "content": content, **more}


def assistant(content: str) -> dict:
    return {"role": "assistant", "content": content}


def rows(prompt: list, chosen: list, rejected: list, **more: pa.Array) -> pa.Table:
    """Rows from Python values of the internal types."""
    columns = {
        "prompt": pa.array(prompt, MESSAGES),
        "chosen": pa.array(chosen, ANSWER),
        "rejected": pa.array(rejected, ANSWER),
    }
    return pa.table(columns | more)


@pytest.fixture
def two() -> pa.Table:
    return pairs(["one?", "two?"], ["1", "2"], ["I", "II"], margin=pa.array([0.5, None]))


def test_preference_as_text(two: pa.Table) -> None:
    assert dialect("trl_preference").convert(two, TEXT).to_pylist() == [
        {"prompt": "one?", "chosen": "1", "rejected": "I"},
        {"prompt": "two?", "chosen": "2", "rejected": "II"},
    ]


def test_preference_as_messages(two: pa.Table) -> None:
    out = dialect("trl_preference").convert(two, MESSAGE)
    assert out.slice(1).to_pylist() == [
        {"prompt": [user("two?")], "chosen": [assistant("2")], "rejected": [assistant("II")]}
    ]
    assert out.schema.field("prompt").type == pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def test_implicit_holds_whole_conversations(two: pa.Table) -> None:
    out = dialect("trl_implicit").convert(two.slice(1), MESSAGE).to_pylist()
    assert out == [{"chosen": [user("two?"), assistant("2")], "rejected": [user("two?"), assistant("II")]}]


def test_reward_has_a_margin_on_every_row(two: pa.Table) -> None:
    assert dialect("trl_reward").convert(two, MESSAGE)["margin"].to_pylist() == [0.5, 0.0]
    assert "margin" not in dialect("trl_reward").convert(two.drop_columns("margin"), MESSAGE).column_names


def test_kto_gives_two_rows_a_pair_in_order(two: pa.Table) -> None:
    out = dialect("trl_kto").convert(two, TEXT, beside=["id"]).to_pylist()
    assert [(row["prompt"], row["completion"], row["label"]) for row in out] == [
        ("one?", "1", True), ("one?", "I", False), ("two?", "2", True), ("two?", "II", False),
    ]  # fmt: skip
    assert out[0]["id"] == out[1]["id"] != out[2]["id"]


@pytest.mark.parametrize("form", [TEXT, MESSAGE])
def test_kto_takes_a_lone_answer(form: Form) -> None:
    table = pairs(["one?", "two?", "three?"], ["1", None, None], [None, "II", None])
    kto = dialect("trl_kto")
    assert kto.unfit(table).to_pylist() == [None, None, "no answer"]
    assert kto.convert(table.slice(0, 2), form)["label"].to_pylist() == [True, False]


def test_sft_completes_with_the_chosen_answer(two: pa.Table) -> None:
    assert dialect("trl_sft").convert(two.drop_columns("rejected"), TEXT).to_pylist()[0] == {
        "prompt": "one?", "completion": "1",
    }  # fmt: skip


def test_stepwise_lists_steps_and_labels() -> None:
    steps = pa.array(
        [[{"text": "a", "label": True}, {"text": "b", "label": False}], [], [{"text": "c", "label": True}]]
    )
    table = pairs(["x"] * 3, ["y"] * 3, ["z"] * 3, steps=steps).slice(1)
    assert dialect("trl_stepwise").convert(table, TEXT).to_pylist() == [
        {"prompt": "x", "completions": [], "labels": []},
        {"prompt": "x", "completions": ["c"], "labels": [True]},
    ]


def test_diffusion_has_the_chosen_image_first() -> None:
    pictures = [{"image": {"bytes": name, "path": None}} for name in (b"good", b"bad")]
    table = rows([[user("a cat")]], pictures[:1], pictures[1:])
    assert dialect("diffusion_dpo").unfit(table).to_pylist() == [None]
    assert dialect("diffusion_dpo").convert(table, TEXT).to_pylist() == [
        {"jpg_0": b"good", "jpg_1": b"bad", "label_0": 1.0, "caption": "a cat"}
    ]
    assert dialect("diffusion_dpo").unfit(pairs(["x"], ["y"], ["z"])).to_pylist() == ["no chosen image"]


def test_answers_of_several_turns_keep_them() -> None:
    turns = [assistant("a"), user("and?"), assistant("b")]
    table = rows([[user("x")], [user("y")]], [{"text": "a\n\nb", "turns": turns}, {"text": "c"}], [{"text": "d"}] * 2)
    assert TEXT.carrying(table) == MESSAGE
    assert dialect("trl_preference").convert(table, MESSAGE)["chosen"].to_pylist() == [turns, [assistant("c")]]
    implicit = dialect("trl_implicit").convert(table, MESSAGE)["chosen"].to_pylist()
    assert implicit == [[user("x"), *turns], [user("y"), assistant("c")]]


@pytest.mark.parametrize("prompt", [[user("a"), assistant("b"), user("c")], [{"role": "system", "content": "a"}], []])
def test_text_widens_for_conversations(prompt: list) -> None:
    table = rows([[user("x")], prompt], [{"text": "1"}] * 2, [{"text": "2"}] * 2)
    assert TEXT.carrying(table.slice(0, 1)) == TEXT
    assert TEXT.carrying(table) == MESSAGE


def test_tool_calls_pass_through_as_json() -> None:
    call = '[{"name":"f","arguments":{}}]'
    table = rows(
        [[user("x"), {"role": "assistant", "content": "", "tool_calls": call}]], [{"text": "1"}], [{"text": "2"}]
    )
    form = MESSAGE.carrying(table)
    assert form == Form(tools=True)
    assert dialect("trl_preference").convert(table, form)["prompt"].to_pylist()[0][1]["tool_calls"] == call


def test_typed_parts_place_the_images() -> None:
    image = {name: {"bytes": name.encode(), "path": None} for name in "abc"}
    parts = [{"type": "image", "image": 1}, {"type": "text", "text": "or"}, {"type": "image", "image": 0}]
    prompts = [
        [user("or", parts=parts)],
        [{"role": "system", "content": "be kind"}, user("what?"), user("eh?")],
        [user("no image")],
    ]
    images = pa.array([[image["a"], image["b"]], [image["c"]], None], pa.list_(IMAGE))
    table = rows(prompts, [{"text": "1"}] * 3, [{"text": "2"}] * 3, images=images)
    assert TEXT.carrying(table) == PARTS
    for start in (0, 1):
        out = dialect("trl_preference").convert(table.slice(start), PARTS).to_pylist()
        assert [[i["bytes"] for i in row["images"]] for row in out] == [[b"b", b"a"], [b"c"], []][start:]
        picture = {"type": "image", "text": None}
        contents = [[message["content"] for message in row["prompt"]] for row in out]
        say = [{"type": "text", "text": text} for text in ("or", "be kind", "what?", "eh?", "no image")]
        assert contents == [[[picture, say[0], picture]], [[say[1]], [picture, say[2]], [say[3]]], [[say[4]]]][start:]


def test_ties_and_missing_answers_are_named() -> None:
    table = pairs(["a", "b", "c"], ["1", None, "3"], ["x", "y", None], verdict=pa.array(["tie", "prefer", "prefer"]))
    assert dialect("trl_preference").unfit(table).to_pylist() == ["tie", "no chosen answer", "no rejected answer"]
    assert dialect("trl_sft").unfit(table).to_pylist() == ["tie", "no chosen answer", None]
    assert dialect("rather").unfit(table).null_count == 3


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_an_empty_table_has_the_schema_of_a_full_one(name: str) -> None:
    known = DIALECTS[name]
    steps = pa.array([[{"text": "a", "label": True}]])
    images = pa.array([[{"bytes": b"a", "path": None}]], COLUMNS["images"])
    critique = pa.array([{"text": "why", "score": 3.0}], COLUMNS["critique"])
    table = pairs(["x"], ["y"], ["z"], steps=steps, margin=pa.array([1.0]), images=images, critique=critique)
    for side in ("chosen", "rejected"):
        table = table.append_column(f"prompt_{side}", table["prompt"])
    for form in (Form(text="text" in known.forms), MESSAGE, PARTS):
        assert known.convert(table.slice(0, 0), form, ["id"]).schema == known.convert(table, form, ["id"]).schema


def test_an_unknown_dialect_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean trl_reward"):
        dialect("trl_rewards")
