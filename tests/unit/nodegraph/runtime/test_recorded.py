"""What pictures say of how they were made: read with distrust, refused in words, and never taken for more than it is."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph.base.diagnostics import GraphError
from nodegraph.runtime.provenance import CHUNK
from nodegraph.runtime.recorded import RECORD_LIMIT, Recorded, read_picture

GRAPH = "graph: 1\nnodes: {}\n"
GOOD: dict[str, Any] = {
    "graph": "g.yaml",
    "sources": {"g.yaml": GRAPH, "parts/h.yaml": GRAPH},
    "inputs": {"prompt": "a red star", "seed": 7, "t": [0.0, 1.0], "flag": True},
    "models": {"shapes/glide": "abc"},
    "device": "cpu",
    "precision": "float32",
}


def chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def written(path: Path, *chunks: bytes) -> Path:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    end = chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join((head, *chunks, pixels, end)))
    return path


def carrying(path: Path, record: Any) -> Path:
    """A picture that carries a record, or a text as it is."""
    text = record if isinstance(record, bytes) else json.dumps(record).encode()
    return written(path, chunk(b"iTXt", CHUNK.encode() + b"\0\1\0\0\0" + zlib.compress(text)))


def refusal(path: Path) -> str:
    with pytest.raises(GraphError) as told:
        read_picture(path)
    (fault,) = told.value.diagnostics
    assert fault.code == "E008" and fault.span is not None and fault.span.file == str(path)
    assert "graph cannot be read: " in fault.message
    return fault.message.partition("cannot be read: ")[2]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


def test_a_good_record_is_read_in_every_form(tmp_path: Path) -> None:
    text = json.dumps(GOOD).encode()
    key = CHUNK.encode() + b"\0"
    forms = (
        chunk(b"iTXt", key + b"\1\0\0\0" + zlib.compress(text)),
        chunk(b"iTXt", key + b"\0\0en\0Graph\0" + text),
        chunk(b"zTXt", key + b"\0" + zlib.compress(text)),
        chunk(b"tEXt", key + text),
    )
    for form in forms:
        found = read_picture(written(tmp_path / "a.png", chunk(b"tEXt", b"other\0x"), form))
        assert found.source.text == GRAPH and found.source.folder == tmp_path
        assert found.inputs == GOOD["inputs"] and found.models == GOOD["models"]
        assert (found.precision, found.device) == ("float32", "cpu")
    least = {"graph": "g.yaml", "sources": {"g.yaml": GRAPH}}
    assert read_picture(carrying(tmp_path / "a.png", least)).inputs == {}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"graph": "g.yaml", "sources": {"g.yaml": ' + b"[" * 100_000, "nested too deep"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "digits"),
        ([], "its record is a list"),
        ("text", "its record is a text"),
        (None, "its record is missing"),
        (without("graph"), "'graph' is missing"),
        (without("sources"), "text of its graph 'g.yaml' is missing"),
        (GOOD | {"graph": 5}, "'graph' is a number"),
        (GOOD | {"graph": "../g.yaml"}, "is not the name of a graph file"),
        (GOOD | {"graph": ""}, "is not the name"),
        (GOOD | {"sources": ["g.yaml"]}, "'sources' is a list"),
        (GOOD | {"sources": {"g.yaml": 5}}, "'g.yaml' in 'sources' is a number"),
        (GOOD | {"sources": {"g.yaml": "\ud800"}}, "half a character"),
        (GOOD | {"sources": {"g.yaml": GRAPH, "\udfff": GRAPH}}, "half a character"),
        (GOOD | {"inputs": None}, "'inputs' is missing"),
        (GOOD | {"inputs": [1]}, "'inputs' is a list"),
        (GOOD | {"inputs": {"a": {"b": 1}}}, "input 'a' is a mapping"),
        (GOOD | {"inputs": {"a": [[1]]}}, "input 'a' is a list"),
        (GOOD | {"inputs": {"a": None}}, "input 'a' is missing"),
        (GOOD | {"inputs": {"a": "\ud800"}}, "half a character"),
        (GOOD | {"inputs": {"a": ["\ud800"]}}, "half a character"),
        (GOOD | {"inputs": {"a": 10**400}}, "too many digits"),
        (GOOD | {"models": {"a": 1}}, "'a' in 'models' is a number"),
        (GOOD | {"models": "x"}, "'models' is a text"),
        (GOOD | {"device": "[red]cpu"}, "'device' is no word"),
        (GOOD | {"device": "\x1b[31m"}, "'device' is no word"),
        (GOOD | {"device": 3}, "'device' is no word"),
        (GOOD | {"precision": ["float32"]}, "'precision' is no word"),
        (GOOD | {"precision": "a" * 1000}, "'precision' is no word"),
        (GOOD | {"precision": "half"}, "'half' is no precision; there are: float32"),
    ],
)
def test_a_damaged_record_is_refused_in_words(tmp_path: Path, record: Any, says: str) -> None:
    assert says in refusal(carrying(tmp_path / "a.png", record))


def test_a_picture_without_a_record_says_so(tmp_path: Path) -> None:
    assert "does not carry the graph" in refusal(written(tmp_path / "a.png"))
    (tmp_path / "b.png").write_bytes(b"GIF89a")
    assert "it is no PNG" in refusal(tmp_path / "b.png")
    tmp_path.joinpath("c.png").mkdir()
    assert "no file" in refusal(tmp_path / "c.png")
    with pytest.raises(GraphError, match=r"E005 unreadable-file: .*No such file"):
        read_picture(tmp_path / "d.png")


def test_a_huge_record_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    key = CHUNK.encode() + b"\0"
    bomb = zlib.compress(b" " * (RECORD_LIMIT + 1))
    for form in (
        chunk(b"iTXt", key + b"\1\0\0\0" + bomb),
        chunk(b"zTXt", key + b"\0" + bomb),
        chunk(b"tEXt", key + b" " * (RECORD_LIMIT + 1)),
    ):
        assert "more than 4,194,304 bytes" in refusal(written(tmp_path / "a.png", form))


def test_a_cut_or_changed_picture_is_refused_in_words(tmp_path: Path) -> None:
    path = carrying(tmp_path / "a.png", GOOD)
    whole = path.read_bytes()
    place = whole.index(b"iTXt")
    for length in (0, 7, 20, place, place + 4, place + 40):
        path.write_bytes(whole[:length])
        assert "it is" in refusal(path)
    path.write_bytes(whole[: place + 30] + b"\0" + whole[place + 31 :])
    assert "check sum" in refusal(path)
    key = CHUNK.encode() + b"\0"
    for body in (b"", b"\1", b"\1\0", b"\1\0\0\0nonsense", b"\1\0\0\0" + zlib.compress(b"{}")[:-2]):
        assert "damaged" in refusal(written(path, chunk(b"iTXt", key + body)))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from((*GOOD, "g.yaml", "a", "")), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_json, st.sampled_from(("", *GOOD)))
def test_any_record_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: Any, part: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.png"
    carrying(path, GOOD | {part: value} if part else value)
    try:
        found = read_picture(path)
    except GraphError as error:
        assert [fault.code for fault in error.diagnostics] == ["E008"]
    else:
        assert isinstance(found, Recorded)
        assert isinstance(found.source.text, str) and isinstance(found.device, str | None)
        json.dumps([found.inputs, found.models])
