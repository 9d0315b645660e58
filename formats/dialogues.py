"""Strings, transcripts and message lists of any make as MESSAGES."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.row import MESSAGE, MESSAGES, text_messages
from .jsontypes import canonical
from .parting import list_lengths
from .parts import split_parts

TRANSCRIPT: Final = r"\A\s*Human:"
WHOLE: Final = r"(?s)\A\s*Human:.*\n\nAssistant:"
_MARKER: Final = r"\n\n(H|A)(?:uman|ssistant): ?"
_SEPARATORS: Final = ("\x1e", "\x1d", "\x1f", "\x1c")
_ROLES: Final = {
    "human": "user", "prompter": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant",
    "model": "assistant", "observation": "tool", "function_response": "tool",
}  # fmt: skip
_PARTS: Final = pa.list_(pa.struct([("type", pa.string()), ("text", pa.string())]))
_UNIFORM: Final = pa.list_(pa.struct([("role", pa.string()), ("content", _PARTS), ("tool_calls", pa.string())]))


def is_messages(kind: pa.DataType) -> bool:
    """True of a list of {role, content} (or {from, value}) and of one such struct."""
    one = kind.value_type if pa.types.is_list(kind) else kind
    if not pa.types.is_struct(one):
        return False
    role = next((field.type for field in one if field.name in ("role", "from")), None)
    content = next((field.type for field in one if field.name in ("content", "value")), None)
    if role is None or content is None or pa.types.is_nested(role):
        return False
    item = content.value_type if pa.types.is_list(content) else content
    return bool(not pa.types.is_nested(item) or (pa.types.is_list(content) and _is_part(item)))


def is_prompt(kind: pa.DataType) -> bool:
    """True of the types that `messages_of` understands."""
    return is_messages(kind) or not (pa.types.is_nested(kind) or pa.types.is_binary(kind))


def messages_of(column: pa.Array, role: str = "user", form: str = "") -> pa.Array:
    """MESSAGES [n] from strings (transcripts are recognised), message lists, one message or (`form="json"`) JSON."""
    kind = column.type
    if kind == MESSAGES:
        return column
    if is_messages(kind):
        return _conversations(column if pa.types.is_list(kind) else _each_alone(column))
    if form == "json":
        rows = [_parsed(value, role) for value in column.to_pylist()]
        return pa.array(rows, MESSAGES)
    return _texts(column if pa.types.is_string(kind) else column.cast(pa.string()), role)


def form_of(column: pa.Array) -> str:
    """What the strings of these rows are: "" (plain), "cues" (some begin with `Human:`), "whole" (all
    are transcripts with an answer) or "json" (the first is a list of messages)."""
    texts = column.drop_null()
    if not len(texts) or not pa.types.is_string(texts.type):
        return ""
    if texts[0].as_py().startswith(("[{", "{")) and isinstance(_message_list(texts[0].as_py()), list):
        return "json"
    if pc.all(pc.match_substring_regex(texts, WHOLE)).as_py():
        return "whole"
    return "cues" if pc.any(pc.match_substring_regex(texts, TRANSCRIPT)).as_py() else ""


def _is_part(kind: pa.DataType) -> bool:
    known = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
    return bool(known) and not any(pa.types.is_nested(known[name]) for name in ("type", "text") if name in known)


def _texts(text: pa.Array, role: str) -> pa.Array:
    """One message a row, or several where the text is a transcript."""
    if not _may_be_transcripts(text):
        return text_messages(text, role)
    mask = pc.fill_null(pc.match_substring_regex(text, TRANSCRIPT), False)
    count = pc.sum(mask).as_py() or 0
    if not count:
        return text_messages(text, role)
    if count == len(text):
        return _transcripts(text)
    spoken = mask.to_numpy(zero_copy_only=False)
    both = pa.concat_arrays([text_messages(text.filter(pc.invert(mask)), role), _transcripts(text.filter(mask))])
    place = np.where(spoken, len(text) - count + np.cumsum(spoken) - 1, np.cumsum(~spoken) - 1)
    return both.take(pa.array(place))


def _may_be_transcripts(text: pa.Array) -> bool:
    """True when some text begins with white space or an H: a look that spares most a search."""
    _, bounds, content = text.buffers()
    if not len(text) or content is None or not content.size:
        return False
    offsets = np.frombuffer(bounds, np.int32)[text.offset : text.offset + len(text) + 1]
    heads = np.frombuffer(content, np.uint8)[offsets[:-1][np.diff(offsets) > 0]]
    return bool(((heads <= 0x20) | (heads == ord("H"))).any())


def _transcripts(text: pa.Array) -> pa.Array:
    """Messages of texts that all begin with a marker: split at separators set in the markers' place."""
    free = [mark for mark in _SEPARATORS if not pc.any(pc.match_substring(text, mark)).as_py()]
    if not free:
        return pa.concat_arrays([_transcripts(text[: len(text) // 2]), _transcripts(text[len(text) // 2 :])])
    led = pc.binary_join_element_wise("", pc.utf8_ltrim_whitespace(text), "\n\n")
    marked = pc.replace_substring_regex(led, _MARKER, free[0] + r"\1")
    pieces = pc.split_pattern(marked, free[0])
    offsets, values = pieces.offsets.to_numpy(), pieces.values
    kept = np.ones(len(values), bool)
    kept[offsets[:-1]] = False  # what stands before the first marker: nothing
    turns = values.filter(pa.array(kept))
    speaker = pc.equal(pc.utf8_slice_codeunits(turns, 0, 1), "H")
    contents = pc.utf8_slice_codeunits(turns, 1)
    return _built(pc.if_else(speaker, "user", "assistant"), contents, offsets - np.arange(len(offsets)))


def _conversations(column: pa.Array) -> pa.Array:
    values = column.flatten()
    names = {field.name for field in values.type}
    role = pc.struct_field(values, "role" if "role" in names else "from")
    content = pc.struct_field(values, "content" if "content" in names else "value")
    offsets = np.concatenate([[0], np.cumsum(list_lengths(column))])
    if "role" not in names:
        role = _renamed(role)
    parts = None
    if pa.types.is_list(content.type):
        content, parts = split_parts(content, np.repeat(np.arange(len(column)), list_lengths(column)))
    calls = _calls(pc.struct_field(values, "tool_calls")) if "tool_calls" in names else None
    return _built(role, content, offsets, parts, calls, mask=column.is_null())


def _built(
    role: pa.Array, content: pa.Array, offsets: np.ndarray,
    parts: pa.Array | None = None, calls: pa.Array | None = None, mask: pa.Array | None = None,
) -> pa.Array:  # fmt: skip
    n = len(role)
    columns = [
        role.cast(pa.string()),
        content.cast(pa.string()),
        parts if parts is not None else pa.nulls(n, MESSAGE.field("parts").type),
        calls if calls is not None else pa.nulls(n, pa.string()),
    ]
    values = pa.StructArray.from_arrays(columns, fields=list(MESSAGE))
    null = mask if mask is not None and mask.true_count else None
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=MESSAGES, mask=null)


def _renamed(role: pa.Array) -> pa.Array:
    coded = role.dictionary_encode()
    names = pa.array([_ROLES.get(str(name).lower(), name) for name in coded.dictionary.to_pylist()], pa.string())
    return names.take(coded.indices)


def _calls(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type):
        return column
    return pa.array([canonical(_pruned(value)) if value else None for value in column.to_pylist()], pa.string())


def _pruned(value: Any) -> Any:
    """Without the null keys that a common schema adds to every object."""
    if isinstance(value, dict):
        return {key: _pruned(inner) for key, inner in value.items() if inner is not None}
    return [_pruned(inner) for inner in value] if isinstance(value, list) else value


def _parsed(value: str | None, role: str) -> list[dict[str, Any]] | None:
    if value is None:
        return None
    found = _message_list(value)
    listed = pa.array([value], pa.string()) if found is None else pa.array([[_uniform(one) for one in found]], _UNIFORM)
    messages: list[dict[str, Any]] = messages_of(listed, role)[0].as_py()
    return messages


def _message_list(value: str) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(value) if value[:1] in ("[", "{") else None
    except (ValueError, RecursionError):
        return None
    found = [found] if isinstance(found, dict) else found
    spoken = isinstance(found, list) and all(isinstance(one, dict) and {"role", "from"} & set(one) for one in found)
    return found if spoken else None


def _uniform(one: dict[str, Any]) -> dict[str, Any]:
    role = one["role"] if "role" in one else _ROLES.get(str(one["from"]).lower(), one["from"])
    content = one.get("content", one.get("value"))
    parts = content if isinstance(content, list) else [content]
    listed = [part if isinstance(part, dict) else {"type": "text", "text": part} for part in parts]
    texts = [{key: canonical(part.get(key)) for key in ("type", "text")} for part in listed]
    return {"role": canonical(role), "content": texts, "tool_calls": canonical(one.get("tool_calls"))}


def _each_alone(column: pa.Array) -> pa.Array:
    """Lists of one from a column of single messages; null stays null."""
    present = column.drop_null()
    filled = column.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(filled)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), present, mask=pa.array(~filled))
