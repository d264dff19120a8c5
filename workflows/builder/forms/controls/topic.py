"""What a message is about, as people subscribe to it."""

from __future__ import annotations

from collections.abc import Sequence

from delivery.public import topics
from workflows.builder.forms.picker import Suggested


class Topic(Suggested):
    key = "topic"

    def suggestions(self) -> Sequence[tuple[str, str]]:
        return list(topics.names(topics.declared(), language="en").items())
