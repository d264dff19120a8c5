"""A second factor of the staff: codes of an app (TOTP, RFC 6238), and recovery codes for the day the telephone is gone.

The devices are django-otp's. Of a recovery code only a hash is kept, as of everything that is shown once."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

import django_otp
from django.contrib.auth.models import User
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from contacts import audit, authority

RECOVERY_CODES = 10
_CODE_BYTES = 10  # 80 random bits: sixteen letters and digits
_KEPT = 16  # characters of a hash, which is what django-otp has room for


@dataclass(frozen=True)
class Enrolment:
    """What an app has to know: `url` for the picture (otpauth://), `secret` to type in groups of four."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


def has_device(user_id: int) -> bool:
    return TOTPDevice.objects.filter(user_id=user_id, confirmed=True).exists()


def begin(user: User) -> Enrolment:
    """The app that is being set up: the same until it is confirmed, so that a page can be loaded twice."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "app"})
    letters = base64.b32encode(device.bin_key).decode().rstrip("=")
    return Enrolment(device.config_url, " ".join(letters[at : at + 4] for at in range(0, len(letters), 4)))


def confirm(user: User, code: str) -> tuple[Any, list[str]] | None:
    """The app shows the right code: it takes the place of an earlier one from now on. Its device and new recovery
    codes, which nobody can read again; None if the code is wrong."""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None or not device.verify_token(_digits(code)):
            return None
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        device.confirmed = True
        device.save()
        audit.note("user.second_factor_set_up", of=("user", user.pk), name=user.get_username())
        return device, _renew(user)


def check(user: User, code: str) -> Any | None:
    """The device that this code is of, if it is right, was not used before, and comes not too soon after a wrong
    one."""
    code = "".join(code.split()).replace("-", "").upper()
    if code.isdecimal() and code.isascii() and len(code) == 6:
        for device in TOTPDevice.objects.filter(user=user, confirmed=True):
            if (found := django_otp.verify_token(user, device.persistent_id, code)) is not None:
                return found
        return None
    with transaction.atomic():
        device = StaticDevice.objects.select_for_update().filter(user=user, confirmed=True).first()
        if device is None or not device.verify_token(_kept(code)):
            return None
        after = {"recovery_codes_left": device.token_set.count()}
        audit.note("user.recovery_code_used", of=("user", user.pk), name=user.get_username(), after=after)
        return device


def renew_recovery_codes(user: User) -> list[str]:
    """New ones in place of those there are; nobody can read them again."""
    with transaction.atomic():
        codes = _renew(user)
        audit.note("user.recovery_codes_renewed", of=("user", user.pk), name=user.get_username())
        return codes


def codes_left(user: User) -> int:
    return StaticToken.objects.filter(device__user=user).count()


def remove(user: User, *, by_themselves: bool) -> bool:
    """Forget app and recovery codes: where a second factor is required, the next login sets up a new one. Whether there
    was anything. Of others: raises NotAllowed to whoever may not change users."""
    if not by_themselves:
        authority.require("auth.change_user")
    with transaction.atomic():
        gone = TOTPDevice.objects.filter(user=user).delete()[0] + StaticDevice.objects.filter(user=user).delete()[0]
        if gone:
            deed = "user.second_factor_removed" if by_themselves else "user.second_factor_reset"
            audit.note(deed, of=("user", user.pk), name=user.get_username())
    return bool(gone)


def _renew(user: User) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode() for _ in range(RECOVERY_CODES)]
    User.objects.select_for_update().get(pk=user.pk)
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery", confirmed=True)
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_kept(code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _kept(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()[:_KEPT]


def _digits(code: str) -> str:
    return "".join(code.split())
