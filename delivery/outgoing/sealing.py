"""Secrets that we have to know again, as they lie in the database: encrypted with a key that follows from SECRET_KEY,
so that a copy of the database alone signs nothing. What was sealed under an earlier key is read with
SECRET_KEY_FALLBACKS; `manage.py reseal_webhook_secrets` seals it anew."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

_PURPOSE = b"carillon webhook endpoint secrets"


class Unreadable(ValueError):
    """No key that we have opens it."""


def seal(secret: str) -> str:
    return _keys().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises Unreadable."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable("SECRET_KEY is another one than when this was sealed") from error


def resealed(sealed: str) -> str:
    """The same under the present key. Raises Unreadable."""
    try:
        return _keys().rotate(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable("SECRET_KEY is another one than when this was sealed") from error


def _keys() -> MultiFernet:
    """The first one seals."""
    return MultiFernet([_key(each) for each in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret_key: str) -> Fernet:
    derived = hmac.new(secret_key.encode(), _PURPOSE, hashlib.sha256).digest()
    return Fernet(base64.urlsafe_b64encode(derived))
