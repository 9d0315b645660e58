"""`tf.train.Example` messages, the rows of TFRecord files, as typed values: the protobuf wire format by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
import pyarrow as pa

from ..core.errors import InputError

Kind = Literal["bytes", "float", "int64"]
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_KINDS: Final[dict[int, Kind]] = {1: "bytes", 2: "float", 3: "int64"}
_WIRES: Final[dict[Kind, tuple[int, ...]]] = {"bytes": (_BYTES,), "float": (_BYTES, _FOUR), "int64": (_BYTES,)}


@final
@dataclass(frozen=True)
class Feature:
    """One feature of a row: a list of values of one kind; None = the row says nothing."""

    kind: Kind | None
    values: list[Any]


@final
@dataclass(frozen=True)
class Seen:
    """What is known of a feature's values so far: their kind, whether rows hold one each, whether all are text."""

    kind: Kind
    single: bool
    text: bool

    def type(self) -> pa.DataType:
        """float32 and int64 as they are, bytes as text where all of them are; a list where a row held several."""
        leaf = {"float": pa.float32(), "int64": pa.int64(), "bytes": pa.string() if self.text else pa.binary()}
        return leaf[self.kind] if self.single else pa.list_(leaf[self.kind])


def example(data: bytes) -> dict[str, Feature]:
    """The features of a serialised `tf.train.Example` by name. Raises ValueError for bytes that are none."""
    found: dict[str, Feature] = {}
    for features in _nested(data, 1):
        for entry in _nested(features, 1):
            key, value = b"", b""
            for number, wire, content in _fields(entry):
                if wire == _BYTES and isinstance(content, bytes):
                    key, value = (content, value) if number == 1 else (key, content)
            found[key.decode("utf-8")] = _feature(value)
    return found


def learn(seen: dict[str, Seen | None], row: Mapping[str, Feature]) -> None:
    """Widen what is known by a row. Raises InputError for a feature that changes its kind."""
    for name, feature in row.items():
        known = seen.setdefault(name, None)
        if feature.kind is None or not feature.values:
            continue
        if known is not None and known.kind != feature.kind:
            raise InputError(f"feature {name} is {feature.kind} here and {known.kind} before")
        text = feature.kind == "bytes" and all(_is_text(value) for value in feature.values)
        single = len(feature.values) == 1
        seen[name] = Seen(feature.kind, single and (not known or known.single), text and (not known or known.text))


def column(rows: list[Mapping[str, Feature]], name: str, kind: pa.DataType) -> pa.Array:
    """One feature of these rows as an array of the type `Seen.type` gave; null where a row says nothing."""
    listed = [row[name].values if name in row else None for row in rows]
    if not pa.types.is_list(kind):
        return pa.array([values[0] if values else None for values in listed], kind)
    return pa.array([values or None for values in listed], kind)


def _feature(data: bytes) -> Feature:
    for number, wire, content in _fields(data):
        if wire == _BYTES and isinstance(content, bytes) and number in _KINDS:
            return Feature(_KINDS[number], _list(_KINDS[number], content))
    return Feature(None, [])


def _list(kind: Kind, data: bytes) -> list[Any]:
    """The values of a BytesList, FloatList or Int64List, packed or not."""
    found: list[Any] = []
    for number, wire, content in _fields(data):
        if number != 1:
            continue
        if kind == "int64" and isinstance(content, int):
            found.append(_signed(content))
        elif isinstance(content, int) or wire not in _WIRES[kind]:
            raise ValueError(f"a list of {kind} that holds something else")
        elif kind == "bytes":
            found.append(content)
        else:
            found += np.frombuffer(content, "<f4").tolist() if kind == "float" else _packed(content)
    return found


def _packed(data: bytes) -> list[int]:
    """The numbers of a packed list."""
    place, found = 0, []
    while place < len(data):
        value, place = _varint(data, place)
        found.append(_signed(value))
    return found


def _nested(data: bytes, wanted: int) -> Iterator[bytes]:
    for number, wire, content in _fields(data):
        if number == wanted and wire == _BYTES and isinstance(content, bytes):
            yield content


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """(number, wire type, content) of each field of a message: an integer for a varint, else its bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(data, place)
            yield number, wire, value
            continue
        if wire not in (_EIGHT, _BYTES, _FOUR):
            raise ValueError(f"wire type {wire}")
        size = {_EIGHT: 8, _FOUR: 4}.get(wire)
        if size is None:
            size, place = _varint(data, place)
        if place + size > len(data):
            raise ValueError("a field ends beyond its message")
        yield number, wire, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins at `place`, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place == len(data):
            raise ValueError("the message ends within a number")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number of more than ten bytes")


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, bytes) and bool(value.decode("utf-8") or True)
    except UnicodeDecodeError:
        return False
