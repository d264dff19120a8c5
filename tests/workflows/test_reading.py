"""Definition files mean what people who write them think they mean."""

import pytest
from django.core.management import CommandError, call_command

from workflows.definition import reading
from workflows.definition.writing import as_json, as_yaml
from workflows.models import Workflow

FILE = """
schema: 1
name: Morning
slug: morning
entry: {trigger: {type: event, event: signed_up}}
start: nine
steps:
  nine:
    type: wait
    config: {mode: local_time, at: 10:30}
    next: {next: asked}
  asked:
    type: branch
    config: {arms: [{key: yes, if: {field: signed_up_on, op: before, value: 2026-01-01}}]}
    next: {yes: null, else: null}
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("true", True), ("False", False), ("10:30", "10:30"),
        ("09:00", "09:00"), ("2026-01-01", "2026-01-01"), ("2025-03-08T15:00:00Z", "2025-03-08T15:00:00Z"), ("12", 12),
        ("010", 10), ("0x1f", 31), ("-3", -3), ("1.5", 1.5), ("1e3", 1000.0), ("null", None), ("~", None), ("", None),
        ('{"a": [1, "x", null]}', {"a": [1, "x", None]}),
    ],
)  # fmt: skip
def test_words_are_read_by_the_rules_of_yaml_1_2(text, value):
    assert reading.read(text) == value


@pytest.mark.parametrize("text", ["{", "a: b: c", "!!python/object/apply:os.system [true]", "[" * 5000])
def test_what_cannot_be_read_is_said_and_nothing_is_run(text):
    with pytest.raises(reading.UnreadableFile):
        reading.read(text)


@pytest.mark.django_db
def test_a_file_with_plain_words_is_imported_and_published(tmp_path, capsys):
    path = tmp_path / "morning.yaml"
    path.write_text(FILE)
    call_command("import_workflow", path, "--publish")
    assert "published as version 1" in capsys.readouterr().out
    call_command("export_workflow", "morning")
    assert reading.read(capsys.readouterr().out) == Workflow.objects.get().draft


@pytest.mark.django_db
def test_importing_tells_what_is_wrong_and_keeps_the_draft(tmp_path, capsys):
    path = tmp_path / "wrong.yaml"
    path.write_text(FILE.replace("start: nine", "start: ten"))
    call_command("import_workflow", path)
    captured = capsys.readouterr()
    assert "stored as a draft" in captured.out and "start: there is no step 'ten'" in captured.err
    with pytest.raises(CommandError, match="not published"):
        call_command("import_workflow", path, "--publish")
    assert Workflow.objects.get().status == "draft"


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["[1]", "name: x", "{"])
def test_a_file_that_is_no_definition_is_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "nothing.yaml"
    path.write_text(text)
    with pytest.raises(CommandError, match=r"nothing\.yaml"):
        call_command("import_workflow", path)
    with pytest.raises(CommandError, match="cannot read"):
        call_command("import_workflow", tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a\x85b",
        "a\u2028b\n",
        "\ufeffa",
        "a\r\nb",
        "\n a\n",
        "a \nb",
        "yes",
        "0o17",
        "1e5",
        "10:30",
        "=",
        "#",
        "- a",
        "",
    ],
)
def test_any_text_is_written_so_that_it_reads_back(text):
    definition = {
        "slug": "s",
        "name": text,
        "steps": {"a": {"type": "add_tag", "config": {"tag": text, "more": [text]}}},
    }
    assert reading.read(as_yaml(definition)) == definition
    assert reading.read(as_json(definition)) == definition
