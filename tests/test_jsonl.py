"""JSON lines: whole files only, named bad lines, and what a killed writer leaves behind."""

from __future__ import annotations

import msgspec
import pytest

from sokrates import jsonl
from sokrates.errors import BadRecord, SokratesError


class Item(msgspec.Struct):
    problem_id: str
    size: int


ITEMS = [Item("a", 1), Item("b", 2)]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "deep" / "items.jsonl"
    assert jsonl.write(path, ITEMS) == 2
    assert list(jsonl.read(path, Item)) == ITEMS
    assert list(jsonl.read_numbered(path, Item)) == [(1, ITEMS[0]), (2, ITEMS[1])]
    assert [p.name for p in path.parent.iterdir()] == ["items.jsonl"]


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "items.jsonl"
    jsonl.write(path, ITEMS)

    def broken():
        yield ITEMS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jsonl.write(path, broken())
    assert list(jsonl.read(path, Item)) == ITEMS
    assert jsonl.partial_path(path).is_file()


def test_line_numbers_count_blank_lines(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'\n{"problem_id": "a", "size": 1}\r\n   \n{"problem_id": "b"')
    assert [number for number, _ in jsonl.read_raw(path)] == [2, 4]
    with pytest.raises(BadRecord) as error:
        list(jsonl.read(path, Item))
    assert str(error.value).startswith(f"{path}:4 (b): not a line of JSON")
    assert "expected one Item" in str(error.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b'{"problem_id": "x", "size": "big"}',
            r"items.jsonl:1 \(x\): not a Item: Expected `int`, got `str` - at `\$.size`",
        ),
        (b'{"problem_id": "x"}', r"\(x\): .*missing required field `size`"),
        (b'{"size": 1}', r"items.jsonl:1: .*missing required field `problem_id`"),
        (b'{"id": "y", "size": 1}', r"\(y\): .*missing required field `problem_id`"),
        (b"null", r"items.jsonl:1: .*Expected `object`, got `null`"),
        (b'{"problem_id": "x", "size": \xff}', r"\(x\): not a line of JSON"),
        (b'{"problem_id": "\\ud800", "size": 1}', "items.jsonl:1.*not a line of JSON"),
        (b"[" * 100_000, "items.jsonl:1: "),
        (b'{"problem_id": "x", "deep": ' + b"[" * 100_000, r"\(x\): not a line of JSON"),
        (b"x" * 1_000_000, "items.jsonl:1: not a line of JSON"),
        (b'"id":' * 200_000, "items.jsonl:1.*: not a Item"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, expected):
    path = tmp_path / "items.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(BadRecord, match=expected):
        list(jsonl.read(path, Item))


def test_bad_lines_may_be_set_aside(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'{"problem_id": "a", "size": 1}\n{"problem_id": "x"}\n\xff\xfe\n{"problem_id": "b", "size": 2}\n')
    aside = jsonl.SetAside(tmp_path / "aside.jsonl")
    assert list(jsonl.read(path, Item, set_aside=aside)) == ITEMS
    assert aside.close() == 2
    written = list(jsonl.read(aside.path, dict))
    assert [(record["line"], record["problem_id"]) for record in written] == [(2, "x"), (3, None)]
    assert written[0]["record"] == '{"problem_id": "x"}'


def test_records_set_aside_are_on_disk_at_once_and_take_their_name_at_the_end(tmp_path):
    path = tmp_path / "deep" / "aside.jsonl"
    for _ in range(2):  # the second time over what the first run left
        aside = jsonl.SetAside(path)
        assert aside.errors == []
        for line in (3, 5):
            aside.add(BadRecord("no good", path="x", line=line, problem_id="p"), "{")
            assert aside.errors[-1] == {"line": line, "problem_id": "p", "error": "no good", "record": "{"}
        assert aside.count == 2 and [p.name for p in path.parent.iterdir()] == ["aside.jsonl.partial"]
    assert aside.close() == aside.close() == len(aside.errors) == 2
    assert [p.name for p in path.parent.iterdir()] == ["aside.jsonl"]


def test_nothing_set_aside_writes_no_file(tmp_path):
    aside = jsonl.SetAside(tmp_path / "aside.jsonl")
    assert aside.close() == 0
    assert not aside.path.exists()


def test_no_such_file(tmp_path):
    for read in (lambda p: list(jsonl.read(p, Item)), jsonl.read_json):
        with pytest.raises(SokratesError, match="nowhere: no such file"):
            read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b'{"problem_id": "c", "si',
        b'{"problem_id": "c", "size": 3}',
        b"garbage\n",
        b'{"problem_id": "c"}\n',
        b"\xff\n",
    ],
)
def test_a_partial_file_gives_its_whole_records_and_loses_the_rest(tmp_path, rest):
    path = tmp_path / "items.jsonl"
    jsonl.write(path, ITEMS)
    whole = path.read_bytes()
    jsonl.partial_path(path).write_bytes(whole + rest)
    assert jsonl.read_partial(path, Item) == ITEMS
    assert jsonl.partial_path(path).read_bytes() == whole


def test_no_partial_file_gives_nothing(tmp_path):
    assert jsonl.read_partial(tmp_path / "items.jsonl", Item) == []


def test_json_documents(tmp_path):
    path = tmp_path / "one.json"
    jsonl.write_json(path, {"b": [1, 2.5], "a": None})
    assert jsonl.read_json(path) == {"b": [1, 2.5], "a": None}
    assert path.read_text().endswith("}\n")
    for broken in (b"{", b'"\xff"', b"[" * 100_000, b""):
        path.write_bytes(broken)
        with pytest.raises(SokratesError, match=r"one\.json: "):
            jsonl.read_json(path)
    path.write_bytes(b'{"problem_id": "a"}')
    with pytest.raises(SokratesError, match=r"one\.json: .*size"):
        jsonl.read_json(path, Item)
