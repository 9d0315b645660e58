"""TFRecord files for tests, written by protobuf itself and a checksum computed bit by bit."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto
TYPES = {"bytes": FIELD.TYPE_BYTES, "float": FIELD.TYPE_FLOAT, "int64": FIELD.TYPE_INT64}


def record(data: bytes) -> bytes:
    """Length, its checksum, the bytes, theirs."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def example(features: Mapping[str, Sequence[Any]]) -> bytes:
    """A serialised tf.train.Example; texts are written as UTF-8, an empty list as a feature that is not set."""
    message = example_class()()
    for name, values in features.items():
        feature = message.features.feature[name]
        if values and isinstance(values[0], (bytes, str)):
            feature.bytes_list.value.extend([v.encode() if isinstance(v, str) else v for v in values])
        elif values:
            getattr(feature, "float_list" if isinstance(values[0], float) else "int64_list").value.extend(values)
    return bytes(message.SerializeToString())


def write_examples(path: Path, rows: Sequence[Mapping[str, Sequence[Any]]]) -> str:
    """A TFRecord file of these rows; its path."""
    path.write_bytes(b"".join(record(example(row)) for row in rows))
    return str(path)


def masked(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def example_class() -> Any:
    """The message as tensorflow/core/example/{example,feature}.proto declare it."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    for kind, code in TYPES.items():
        added = file.message_type.add(name=f"{kind.title()}List")
        added.field.add(name="value", number=1, type=code, label=FIELD.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, kind in enumerate(TYPES, 1):
        listed = f".t.{kind.title()}List"
        feature.field.add(name=f"{kind}_list", number=number, type=FIELD.TYPE_MESSAGE, type_name=listed, oneof_index=0)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=FIELD.TYPE_STRING)
    entry.field.add(name="value", number=2, type=FIELD.TYPE_MESSAGE, type_name=".t.Feature")
    listed = ".t.Features.FeatureEntry"
    features.field.add(name="feature", number=1, type=FIELD.TYPE_MESSAGE, type_name=listed, label=FIELD.LABEL_REPEATED)
    whole = file.message_type.add(name="Example")
    whole.field.add(name="features", number=1, type=FIELD.TYPE_MESSAGE, type_name=".t.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))
