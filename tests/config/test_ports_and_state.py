"""Ports that are free, and the folder that one installation holds at a time."""

import os
import socket
import stat

import pytest

from config import ports
from config.state import AlreadyRunning, State


@pytest.fixture
def taken():
    """A port that another program listens on, below the ones that the kernel lends out."""
    with ports.hold_free(21000) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_said_to_be_taken(taken):
    with pytest.raises(ports.NoPort, match=f"Port {taken} is taken"):
        ports.hold(taken)


def test_the_next_free_port_is_found(taken):
    assert taken < ports.free(taken) < ports.BELOW


def test_a_held_port_is_nobody_elses(taken):
    with ports.hold_free(taken) as held:
        port = held.getsockname()[1]
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()


def test_no_port_is_lent_from_those_of_outgoing_connections():
    with pytest.raises(ports.NoPort):
        ports.hold_free(ports.BELOW)


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "var")


def test_a_folder_is_held_by_one(state):
    state.lock()
    with pytest.raises(AlreadyRunning) as caught:
        State(state.path).lock()
    assert caught.value.pid == str(os.getpid())


def test_a_secret_is_made_once_and_is_for_its_owner_only(state):
    state.lock()
    secret = state.secret("secret-key")
    assert len(secret) >= 50
    assert State(state.path).secret("secret-key") == secret
    assert state.secret("another") != secret
    assert stat.S_IMODE((state.run / "secret-key").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.run.stat().st_mode) == 0o700


def test_an_empty_secret_is_made_anew(state):
    state.lock()
    (state.run / "secret-key").touch()
    assert state.secret("secret-key")


def test_services_are_published_for_the_owner_only_and_withdrawn(state):
    state.lock()
    state.publish({"DATABASE_URL": "postgres://secret"})
    assert stat.S_IMODE(state.services.stat().st_mode) == 0o600
    state.withdraw()
    state.withdraw()
    assert not state.services.exists()


def test_what_a_killed_run_published_is_gone_with_the_next_one(state):
    state.lock()
    state.publish({"DATABASE_URL": "postgres://old"})
    os.close(state._lock)
    State(state.path).lock()
    assert not state.services.exists()
