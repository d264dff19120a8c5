"""What an installation is made of."""

from config.programs import Programs
from config.state import State


def ringers(tmp_path) -> dict[str, str]:
    return {process.name: process.heartbeat for process in Programs(State(tmp_path), {}).ringers()}


def test_kafka_has_a_reader_where_the_settings_name_a_kafka(tmp_path, monkeypatch):
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    assert "kafka" not in ringers(tmp_path)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
    assert ringers(tmp_path)["kafka"] == "kafka"
