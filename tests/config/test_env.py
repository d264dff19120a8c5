"""Settings come from the environment, from files that it names, and from the services that run in the folder."""

import json
import os
import subprocess
import sys

import pytest

from config import env


@pytest.fixture
def environment(monkeypatch):
    """An environment of the test's own, empty."""
    own: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", own)
    return own


def test_a_setting_is_its_variable_or_the_content_of_the_named_file_or_the_default(environment, tmp_path):
    assert env.text("SECRET_KEY", "default") == "default"
    (tmp_path / "key").write_text("from the file\n")
    environment["SECRET_KEY_FILE"] = str(tmp_path / "key")
    assert env.text("SECRET_KEY", "default") == "from the file"
    environment["SECRET_KEY"] = "from the variable"
    assert env.text("SECRET_KEY", "default") == "from the variable"


def test_a_file_that_cannot_be_read_is_named(environment, tmp_path):
    environment["SECRET_KEY_FILE"] = str(tmp_path / "absent")
    with pytest.raises(env.BadSetting, match=r"SECRET_KEY_FILE: cannot read .*absent: No such file"):
        env.text("SECRET_KEY")


@pytest.mark.parametrize(
    ("written", "read"),
    [("", True), (" ", True), ("1", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("off", False)],
)
def test_a_flag_reads_what_people_write(environment, written, read):
    environment["DEBUG"] = written
    assert env.flag("DEBUG", True) is read


@pytest.mark.parametrize(
    ("read", "written", "message"),
    [
        (lambda: env.flag("X"), "maybe", "X: expected true or false, got 'maybe'"),
        (lambda: env.integer("X", 1), "3.5", "X: expected a whole number, got '3.5'"),
        (lambda: env.integer("X", 1, least=1), "0", "X: must be at least 1"),
        (lambda: env.number("X", 1.0), "fast", "X: expected a number, got 'fast'"),
        (lambda: env.number("X", 1.0, least=1.0), "nan", "X: must be at least 1.0"),
        (lambda: env.database(env.text("X")), "mysql://host/name", "DATABASE_URL: expected postgres://"),
        (lambda: env.database(env.text("X")), "postgres://host/", "DATABASE_URL: expected postgres://"),
    ],
)
def test_what_cannot_be_read_is_said(environment, read, written, message):
    environment["X"] = written
    with pytest.raises(env.BadSetting) as caught:
        read()
    assert str(caught.value).startswith(message)


def test_a_list_is_separated_by_commas(environment):
    environment["ALLOWED_HOSTS"] = " a.example, ,b.example,"
    assert env.words("ALLOWED_HOSTS") == ["a.example", "b.example"]
    assert env.words("RESIDENCY_ALLOWED", "EU,UK") == ["EU", "UK"]


def test_a_list_of_pairs_keeps_what_stands_behind_the_first_sign(environment):
    environment["KAFKA_OPTIONS"] = "sasl.mechanism = PLAIN, sasl.password=a=b,"
    assert env.pairs("KAFKA_OPTIONS") == {"sasl.mechanism": "PLAIN", "sasl.password": "a=b"}
    environment["KAFKA_OPTIONS"] = "sasl.password"
    with pytest.raises(env.BadSetting, match="KAFKA_OPTIONS"):
        env.pairs("KAFKA_OPTIONS")


def test_a_database_url_becomes_djangos_entry():
    entry = env.database("postgres://us%40er:p%2Fw@db.example:6432/na%20me?sslmode=require")
    assert entry == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "na me",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "HOST": "db.example",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "require"},
    }


RUNNING = {
    "DATABASE_URL": "postgres://carillon:x@127.0.0.1:15432/carillon",
    "REDIS_URL": "redis://here/1",
    "TIME_SPEED": "60",
}


@pytest.fixture
def folder(environment, tmp_path):
    """The state folder of an installation that runs: this process stands for its supervisor."""
    environment["CARILLON_STATE_DIR"] = str(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "services.json").write_text(json.dumps(RUNNING))
    (tmp_path / "run" / "lock").write_text(str(os.getpid()))
    return tmp_path


def test_commands_of_the_folder_find_what_runs_there(environment, folder):
    assert env.load_running_services()
    assert {name: environment[name] for name in RUNNING} == RUNNING


def test_what_the_environment_says_wins(environment, folder):
    (folder / "speed").write_text("2")
    environment |= {"REDIS_URL": "redis://elsewhere", "TIME_SPEED_FILE": str(folder / "speed")}
    assert env.load_running_services()
    assert environment["REDIS_URL"] == "redis://elsewhere"
    assert environment["DATABASE_URL"] == RUNNING["DATABASE_URL"]
    assert env.number("TIME_SPEED", 1.0) == 2.0


def test_an_environment_that_names_another_database_takes_nothing(environment, folder):
    environment["DATABASE_URL"] = "postgres://carillon@db.example/production"
    assert not env.load_running_services()
    assert "TIME_SPEED" not in environment
    assert "REDIS_URL" not in environment


def test_what_a_killed_supervisor_left_behind_counts_for_nothing(environment, folder):
    ended = subprocess.Popen([sys.executable, "-c", ""], env={})
    ended.wait()
    (folder / "run" / "lock").write_text(str(ended.pid))
    assert not env.load_running_services()
    assert "DATABASE_URL" not in environment


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_file_counts_for_nothing(environment, folder, content):
    (folder / "run" / "services.json").write_text(content)
    assert not env.load_running_services()
