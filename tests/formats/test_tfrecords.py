"""TFRecord files: checksums against known ones, every kind of feature, what is broken and where."""

from __future__ import annotations

import base64
import gzip
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rather.core.errors import InputError
from rather.formats import tfrecords
from rather.formats.crc32c import checksums, crc32c
from rather.formats.read_rows import ReadRows
from rather.formats.tf_examples import example

from ..tf_files import example as serialised
from ..tf_files import masked, record, write_examples

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def read(path: Any, **options: Any) -> pa.Table:
    return pa.concat_tables(ReadRows(path=str(path), **options).batches())


def test_checksums_are_those_of_rfc_3720() -> None:
    """Appendix B.4 of RFC 3720, and the usual check value of CRC-32C, over "123456789"."""
    known = {
        b"123456789": 0xE3069283, bytes(32): 0x8A9136AA, b"\xff" * 32: 0x62A8AB43, bytes(range(32)): 0x46DD794E,
        bytes(range(31, -1, -1)): 0x113FDB5C, b"": 0,
    }  # fmt: skip
    assert [crc32c(data) for data in known] == checksums(list(known)) == list(known.values())


def test_many_pieces_are_summed_as_each_alone() -> None:
    """Pieces shorter than the first inversion, than a lane, of whole lanes, and of several."""
    chance = random.Random(7)
    pieces = [chance.randbytes(n) for n in (0, 1, 3, 4, 5, 255, 256, 257, 512, 1000, 2, 4097)]
    assert checksums(pieces) == [crc32c(piece) for piece in pieces]


def test_a_file_that_others_wrote(tmp_path: Path) -> None:
    """Two records, `foo` and `bar`, as TensorFlow's own writer leaves them: they are no Examples."""
    raw = base64.b64decode("AwAAAAAAAACwmUkOZm9vYYq+/gMAAAAAAAAAsJlJDmJhckYA5cg=")
    assert raw == record(b"foo") + record(b"bar") and tfrecords.masked(crc32c(b"foo")) == masked(b"foo")
    (tmp_path / "x.tfrecord").write_bytes(raw)
    with pytest.raises(InputError, match=r"x.tfrecord, record 1: no tf.train.Example"):
        read(tmp_path / "x.tfrecord")


def test_features_keep_their_kinds(tmp_path: Path) -> None:
    """One value a row gives the value, several anywhere a list, none a null; bytes are text where all are."""
    rows: list[dict[str, list[Any]]] = [
        {"name": ["é.png"], "raw": [PNG], "score": [0.25], "n": [-3], "tags": ["a", "b"], "ids": [1, 2**40]},
        {"name": ["b.png"], "raw": [b"text"], "score": [], "n": [7], "tags": ["c"], "ids": [], "never": []},
        {"raw": [PNG], "score": [1.5]},
    ]
    table = read(write_examples(tmp_path / "x.tfrecord", rows))
    assert table.schema.field("name").type == pa.string() and table["name"].to_pylist() == ["é.png", "b.png", None]
    assert table.schema.field("raw").type == pa.binary() and table["raw"].to_pylist() == [PNG, b"text", PNG]
    assert table.schema.field("score").type == pa.float32() and table["score"].to_pylist() == [0.25, None, 1.5]
    assert table.schema.field("n").type == pa.int64() and table["n"].to_pylist() == [-3, 7, None]
    assert table["tags"].to_pylist() == [["a", "b"], ["c"], None]
    assert table["ids"].to_pylist() == [[1, 2**40], None, None] and table["never"].to_pylist() == [None] * 3


def test_numbers_may_stand_unpacked() -> None:
    """An Int64List and a FloatList of one number each as old writers keep them: a field a number."""
    whole = b"\x1a\x02\x08\x05"  # int64_list { value: 5 }
    real = b"\x12\x05\x0d\x00\x00\x00\x3f"  # float_list { value: 0.5 }
    entries = b"".join(
        b"\x0a" + bytes([len(one)]) + one
        for one in (b"\x0a\x01n\x12\x04" + whole, b"\x0a\x01x\x12\x07" + real)
    )  # fmt: skip
    found = example(b"\x0a" + bytes([len(entries)]) + entries)
    assert found["n"].values == [5] and found["x"].values == [0.5]


def test_packed_files_and_folders(tmp_path: Path) -> None:
    """Gzip is undone; the files of a folder are one source, in order, and so are TensorFlow's numbered parts."""
    (tmp_path / "folder").mkdir()
    for name, k in (("a.tfrecord", 0), ("b.tfrecord", 1)):
        write_examples(tmp_path / "folder" / name, [{"k": [k]}])
    assert read(tmp_path / "folder")["k"].to_pylist() == [0, 1]
    packed = tmp_path / "c.tfrecords.gz"
    packed.write_bytes(gzip.compress(record(serialised({"k": [2]}))))
    assert read(packed)["k"].to_pylist() == [2]
    for k in range(2):
        write_examples(tmp_path / f"d.tfrecord-0000{k}-of-00002", [{"k": [k]}])
    assert read(tmp_path / "d.tfrecord-*")["k"].to_pylist() == [0, 1]


def test_what_is_broken_is_told_with_its_place(tmp_path: Path) -> None:
    """A byte changed in the second record; a file cut in the third; a length that is none."""
    one, path = record(serialised({"k": [1]})), tmp_path / "x.tfrecord"
    changed = one[:14] + bytes([one[14] ^ 1]) + one[15:]
    for content, told in (
        (one + changed, "record 2: the bytes do not fit their checksum"),
        (one + one + one[:-5], "record 3: the file ends within a record of"),
        (one + one[:7], "record 2: the file ends within a record"),
        (b"\x00" + one, "record 1: no TFRecord"),
        (record(b"\x0a\x05abc"), "record 1: no tf.train.Example: a field ends beyond its message"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=told):
            read(path)
        assert told in ReadRows(path=str(path)).faults()[0]


def test_a_bad_record_may_keep_its_place(tmp_path: Path) -> None:
    one, path = record(serialised({"k": [1]})), tmp_path / "x.tfrecord"
    path.write_bytes(one + one[:-1] + bytes([one[-1] ^ 1]) + one)
    rows = read(path, bad_lines="drop").to_pylist()
    assert [row["k"] for row in rows] == [1, None, 1]
    assert [row["read_error"] for row in rows] == [None, "the bytes do not fit their checksum", None]


def test_a_feature_has_one_kind(tmp_path: Path) -> None:
    path = write_examples(tmp_path / "x.tfrecord", [{"k": [1]}, {"k": ["one"]}])
    with pytest.raises(InputError, match="record 2: feature k is bytes here and int64 before"):
        read(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.integers(0, 200), st.booleans())
def test_any_bytes_are_rows_or_a_mistake_with_a_place(tmp_path: Path, noise: bytes, at: int, framed: bool) -> None:
    """Bytes written over a sound file, or framed as a record: never another error than ours."""
    sound = record(serialised({"name": ["a.png"], "score": [0.5], "n": [1, 2]})) * 2
    path = tmp_path / "x.tfrecord"
    path.write_bytes(record(noise) if framed else sound[:at] + noise + sound[at + len(noise) :])
    try:
        table = read(path)
        assert table.num_rows >= 1 or not table.column_names, "an Example of no features has nothing to tell"
    except InputError as error:
        assert "x.tfrecord" in error.show()
