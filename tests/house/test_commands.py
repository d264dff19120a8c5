"""Every command says what it is for and how it is called, tells its exit codes, and speaks JSON of its result."""

import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, get_commands, load_command_class

from contacts.management.manners import HouseCommand

APPS = {"config", "contacts", "scoring", "delivery", "workflows", "analytics"}
COMMANDS = {name: app for name, app in sorted(get_commands().items()) if app in APPS}
# Commands that have no --json, and why: what they print is a key or a document, or they print nothing.
WITHOUT_JSON = {
    "create_api_key": "the key alone",
    "create_write_key": "the key alone",
    "rotate_api_key": "the key alone",
    "webhook_secret": "the secrets alone",
    "vapid_key": "the key alone",
    "export_contact": "a document, JSON already",
    "export_contacts": "a document; --format jsonl",
    "try_contact": "JSON already",
    "run_dispatcher": "runs until it is stopped",
    "run_sandbox": "runs until it is stopped",
    "demo": "a show; --exit-figures",
}
# What these change is much, or cannot be taken back.
MUCH = {
    "erase_contact",
    "import_contacts",
    "import_suppressions",
    "import_workflow",
    "rebuild_counters",
    "rebuild_delays",
    "rebuild_segments",
    "rebuild_tallies",
    "rebuild_timers",
    "replay_dead_letters",
    "reseal_secrets",
    "retime",
}
every_command = pytest.mark.parametrize("name", COMMANDS)


def load(name: str) -> HouseCommand:
    return load_command_class(COMMANDS[name], name)


def parser_of(name: str):
    return load(name).create_parser("manage.py", name)


def test_no_file_of_commands_is_missed():
    root = Path(settings.BASE_DIR)
    files = {path.stem for app in APPS for path in (root / app / "management" / "commands").glob("[a-z]*.py")}
    assert files == set(COMMANDS) and len(COMMANDS) > 25


@every_command
def test_a_command_says_what_it_is_for_and_how_it_is_called(name):
    command, text = load(name), parser_of(name).format_help()
    assert isinstance(command, HouseCommand)
    assert len(" ".join(str(command.help).split())) > 30
    assert "\nExamples:\n  manage.py " + name in text
    assert "\nExit codes:\n  0  " in text and "\n  1  " in text and "\n  2  " in text


@every_command
def test_the_examples_are_understood_by_the_command_itself(name):
    command, parser = load(name), parser_of(name)
    assert command.examples
    for example in command.examples:
        called, *arguments = shlex.split(example.partition(" > ")[0], comments=True)
        assert called == name
        parser.parse_args(arguments)


@every_command
def test_a_command_with_a_result_tells_it_as_json(name):
    command = load(name)
    options = {option for action in parser_of(name)._actions for option in action.option_strings}
    if name in WITHOUT_JSON:
        assert command.no_json and "--json" not in options
    else:
        assert command.json_of and "--json" in options


@pytest.mark.parametrize("name", sorted(MUCH))
def test_what_changes_much_can_be_tried_first(name):
    assert "--dry-run" in {option for action in parser_of(name)._actions for option in action.option_strings}


@every_command
def test_every_option_is_explained(name):
    for action in parser_of(name)._actions:
        assert action.help, f"{name}: {action.option_strings or action.dest}"


def test_an_example_with_an_option_that_is_not_there_would_be_found():
    with pytest.raises(CommandError):
        parser_of("doctor").parse_args(["--mend"])
