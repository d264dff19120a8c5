"""In whose name mail goes out: by the class of the message, and so from which domain."""

from __future__ import annotations

from django.conf import settings

from delivery import mailboxes


def address(message_class: str) -> str:
    """The From address of e-mail of that class."""
    return settings.EMAIL_FROM if message_class == "marketing" else settings.EMAIL_FROM_TRANSACTIONAL


def domain(message_class: str) -> str:
    """The domain of that address, in small letters."""
    return mailboxes.domain_of(address(message_class))
