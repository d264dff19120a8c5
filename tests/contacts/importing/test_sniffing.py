"""What kind of file it is, what its columns mean, and that no file is too odd to be told apart."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.core.management import CommandError
from hypothesis import given
from hypothesis import strategies as st

from contacts import spreadsheets
from contacts.importing import mapping, reading, sniffing, sources, values
from contacts.importing.csv_rows import BadHeader, Record, Table
from contacts.importing.mapping import Column, ColumnMap, mapping_of
from contacts.importing.rows import Row, understanding
from contacts.importing.sniffing import Format, Survey, format_of
from contacts.models import Contact, ImportPreset

SHARED = settings.BASE_DIR.parent / "shared"


def survey(*blocks: bytes) -> sniffing.Surveyed:
    found = Survey()
    for block in blocks:
        found.feed(block)
    return found.result()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found(delimiter, end):
    rows = [["email", "name", "note"], ["a@example.com", '"Ada, Countess; of"', "x"], ["b@example.com", "Bob", '"a|b"']]
    content = end.join(delimiter.join(row) for row in rows).encode()
    form = survey(content).format
    assert form == Format("utf-8", delimiter, '"')
    table = Table(reading.lines([content], form.encoding), form.dialect)
    assert [len(each.cells) for each in table.batch(10)] == [3, 3]


def test_a_column_alone_has_no_delimiter_to_find():
    assert survey(b"email\na@example.com\n").format == Format("utf-8", ",", '"')


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("e,n\na,Zoë\n".encode(), "utf-8"),
        ("e,n\na,Zoë\n".encode("utf-8-sig"), "utf-8"),
        ("e,n\na,Zoë\n".encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff" + "e,n\na,Zoë\n".encode("utf-16-be"), "utf-16-be"),
        (("e,n\n" + "a,Zoë\n" * 10).encode("utf-16-le"), "utf-16-le"),
        (("e,n\n" + "a,Zoë\n" * 10).encode("utf-16-be"), "utf-16-be"),
        ("e,n\na,Zoë – “x” €\n".encode("cp1252"), "cp1252"),
        (("e,n\n" + "a,b\n" * 50_000 + "a,Zoë\n").encode("cp1252"), "cp1252"),
        (b"e,n\na,\xff\n", "utf-8"),
        ("e,n\na,Zoë\n".encode() + b"b,Zo\xeb\n", "utf-8"),
    ],
)  # fmt: skip
def test_the_encoding_is_found_and_damage_is_not_taken_for_one(content, encoding):
    found = survey(*[content[start : start + 1000] for start in range(0, len(content), 1000)])
    assert found.format.encoding == encoding
    assert bool(found.note) is (encoding == "cp1252")


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08rest", b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest"])
def test_what_is_compressed_is_refused_unread(content):
    with pytest.raises(BadHeader, match="save it as CSV"):
        survey(content)


def test_a_header_of_a_million_columns_is_refused(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{n}" for n in range(1_000_000)) + "\n")
    form = sources.survey(path).format
    with pytest.raises(BadHeader):
        Table(reading.lines(sources.FileSource(path).blocks(0), "utf-8"), form.dialect)


@given(
    st.lists(st.text(st.sampled_from('aé😀,"\n\r\ud800\udc80'), max_size=12), max_size=8),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "cp1252"]),
    st.integers(1, 9),
)
def test_lines_know_how_many_bytes_they_were(texts, encoding, size):
    content = "\n".join(texts).encode(encoding, "replace") + b"\x81\xff"
    blocks = [content[start : start + size] for start in range(0, len(content), size)]
    lines = list(reading.lines(blocks, encoding))
    measured = reading.sizer(encoding)(lines)
    assert measured in {len(content), len(content) + len(content) % 2 * encoding.startswith("utf-16")}
    assert lines == list(reading.lines([content], encoding))


@pytest.mark.parametrize("raw", [{"encoding": "ebcdic"}, {"delimiter": '"'}, {"delimiter": ",,"}, {"quote": "x"}])
def test_a_format_that_cannot_be_is_refused(raw):
    with pytest.raises(ValueError, match="must be"):
        format_of(raw)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not here")
def test_naughty_strings_come_through_or_are_refused_with_their_line():
    strings = json.loads((SHARED / "vectors/bad_input/blns.json").read_text())
    lines = ["email,note\n"]
    for n, text in enumerate(strings):
        quoted = text.replace('"', '""')
        lines.append(f'a{n}@example.com,"{quoted}"\n')
    table = Table(reading.lines(["".join(lines).encode("utf-8", "surrogatepass")], "utf-8"), Format().dialect)
    columns = {"email": "email", "note": {"to": "attribute:note", "type": "text"}}
    understand = understanding(mapping_of({"columns": columns}), table.header)
    found = []
    while (batch := table.batch(50)) is not None:
        found += [understand(each) if isinstance(each, Record) else each for each in batch]
    assert len(found) == len(strings)
    for text, row in zip(strings, found, strict=True):
        assert isinstance(row, Row)
        assert row.person.attributes.get("note", "") == spreadsheets.original(text.strip()).strip()


# -- what columns mean -------------------------------------------------------------------------------------------------


def test_columns_are_guessed_by_their_names_and_what_stands_in_them():
    header = ["Customer ID", "E-Mail Address", "Mobile", "Signed up at", "Opt-in", "Owner", "House", "Active", "Born"]
    rows = [
        ["7", "a@example.com", "+4915112345", "2026-03-04T12:00:00Z", "yes", "Sam", "7", "yes", "2001-02-03"],
        ["8", "b@example.com", "", "", "no", "Kim", "7b", "no", "1999-12-31"],
    ]
    found = {name: (column.to, column.type) for name, column in mapping.guess(header, rows).columns.items()}
    assert found == {
        "Customer ID": ("external_id", "auto"),
        "E-Mail Address": ("email", "auto"),
        "Mobile": ("phone", "auto"),
        "Signed up at": ("created_at", "auto"),
        "Opt-in": ("consent:marketing", "auto"),
        "Owner": ("attribute:Owner", "auto"),
        "House": ("attribute:House", "text"),
        "Active": ("attribute:Active", "boolean"),
        "Born": ("attribute:Born", "date"),
    }


def test_a_column_of_addresses_says_who_people_are_whatever_it_is_called():
    assert mapping.guess(["x", "y"], [["1", "a@example.com"]]).columns["y"] == Column("email")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "a mapping is"),
        ({"columns": {"a": {"to": "nowhere"}}}, "goes nowhere"),
        ({"columns": {"a": {"to": "attribute:"}}}, "attribute whose name"),
        ({"columns": {"a": {"to": "consent:everything"}}}, "consent that there is not"),
        ({"columns": {"a": {"to": "attribute:x", "type": "colour"}}}, "no such type"),
        ({"columns": {}, "key": "name"}, "key must be"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_with_a_sentence(raw, words):
    with pytest.raises(ValueError, match=words):
        mapping_of(raw)


def test_two_columns_cannot_go_to_one_field():
    with pytest.raises(BadHeader, match="two columns go to email"):
        mapping.check(ColumnMap({"a": Column("email"), "b": Column("email")}), ["a", "b"])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("auto", "007", "007"), ("text", "12", "12"), ("number", "+12.5", 12.5), ("number", "x", None),
        ("boolean", "Yes", True), ("boolean", "0", False), ("boolean", "maybe", None),
        ("date", "2026-3-4", "2026-03-04"), ("date", "4.3.2026", "2026-03-04"), ("date", "2026-02-30", None),
        ("date", "2026-03-04T12:00:00Z", "2026-03-04T12:00:00+00:00"), ("date", "03/04/2026", None),
        ("date_dmy", "03/04/2026", "2026-04-03"), ("date_mdy", "03/04/2026", "2026-03-04"),
    ],
)  # fmt: skip
def test_cells_are_read_as_their_column_says(kind, text, value):
    assert values.TYPES[kind][1](text) == value


def test_tags_and_lists_stand_in_one_cell():
    understand = understanding(
        mapping_of({"columns": {"e": "email", "t": "tags", "l": "lists"}}), ["e", "t", "l"], ["vip"]
    )
    row = understand(Record(2, ["a@example.com", "a, b;a", "vip"], ""))
    assert (row.person.tags, row.person.lists) == (["a", "b"], ["vip"])
    assert understand(Record(3, ["a@example.com", "", "gone"], "x")).reason == "l: there is no such list"


@pytest.mark.django_db
def test_the_command_takes_a_mapping_a_preset_and_a_format(load, tmp_path):
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"columns": {"Mail": "email", "Nr": {"to": "attribute:nr", "type": "text"}}}))
    content = "Mail;Nr;Secret\nada@example.com;12;x\n"
    out, _ = load(content.encode("utf-16"), "--mapping", str(path))
    assert out.startswith("1 created")
    assert Contact.objects.get().attributes == {"nr": "12"}
    ImportPreset.objects.create(name="Shop", mapping={"columns": {"a": "email"}, "key": "email"})
    assert load("a/b\nbob@example.com/x\n", "--preset", "Shop", "--delimiter", "/")[0].startswith("1 created")
    assert load("a\tb\n\tx\n", "--preset", "Shop", "--delimiter", "tab")[1] == ["line 2: names nobody: email is empty"]
    with pytest.raises(CommandError, match="there is no preset"):
        load("a\nx@example.com\n", "--preset", "Nothing")
    with pytest.raises(CommandError, match="there is no list"):
        load("email\nx@example.com\n", "--list", "nowhere")
    out, err = load("email,n\nzoe@example.com,Zoë\n".encode("cp1252"))
    assert err == ["The file is not UTF-8; it is read as Windows-1252."]
    assert Contact.objects.get(email="zoe@example.com").attributes == {"n": "Zoë"}
