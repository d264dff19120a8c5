"""Secrets that we have to know again, as they lie in the database: encrypted with a key that follows from SECRET_KEY,
so that a copy of the database alone proves nothing and signs nothing. What was sealed under an earlier key is read with
SECRET_KEY_FALLBACKS; `manage.py reseal_secrets` seals it anew."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

_FIRST = "gAAAA"  # every sealed text begins so: its version, and a time before the year 2106
_SHORTEST = 100


class Unreadable(ValueError):
    """No key that we have opens it."""

    def __init__(self) -> None:
        super().__init__("SECRET_KEY is another one than when this was sealed")


@dataclass(frozen=True)
class Box:
    """Its purpose is part of the key: what was sealed for one is nothing in another."""

    purpose: bytes

    def seal(self, secret: str) -> str:
        return self._keys().encrypt(secret.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Raises Unreadable."""
        try:
            return self._keys().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Unreadable from error

    def resealed(self, sealed: str) -> str:
        """The same under the present key. Raises Unreadable."""
        try:
            return self._keys().rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise Unreadable from error

    def _keys(self) -> MultiFernet:
        """The first one seals."""
        return MultiFernet([self._key(each) for each in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])

    def _key(self, secret_key: str) -> Fernet:
        derived = hmac.new(secret_key.encode(), self.purpose, hashlib.sha256).digest()
        return Fernet(base64.urlsafe_b64encode(derived))


def is_sealed(stored: str) -> bool:
    """By its form. No secret that we make is so long."""
    return stored.startswith(_FIRST) and len(stored) >= _SHORTEST
