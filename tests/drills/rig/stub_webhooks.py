"""Signed SendGrid webhooks as SendGrid sends them: bundled, out of order, more than once, again until answered 2xx."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
import uuid
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
BUNDLE = 50  # events in one request
RETRY_SECONDS = 1.0


def new_key() -> tuple[str, str]:
    """A signing key as PEM, and its public half as SENDGRID_WEBHOOK_PUBLIC_KEY wants it (base64 DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), base64.b64encode(public).decode()


class Signer:
    def __init__(self, pem: str) -> None:
        key = serialization.load_pem_private_key(pem.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def headers(self, body: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "Content-Type": "application/json",
            SIGNATURE: base64.b64encode(signature).decode(),
            TIMESTAMP: stamp,
        }


def event(kind: str, *, mid: str, to: str) -> dict[str, Any]:
    return {
        "email": to,
        "timestamp": int(time.time()),
        "event": kind,
        "mid": mid,
        "sg_event_id": uuid.uuid4().hex,
        "sg_message_id": f"{mid}.stub",
    }


class Webhooks:
    """Collects events and delivers each bundle 1 to `copies` times. `open_bundles` is what is not answered 2xx yet."""

    def __init__(self, url: str, signer: Signer, *, seed: int, copies: int) -> None:
        self.url, self.signer, self.copies = url, signer, copies
        self.delivered = 0
        self.refused = 0
        self._dice = random.Random(f"{seed}:webhooks")
        self._waiting: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open_bundles(self) -> int:
        return len(self._tasks) + bool(self._waiting)

    def tell(self, events: list[dict[str, Any]]) -> None:
        self._waiting.extend(events)

    async def run(self) -> None:
        """Until cancelled: bundle up what has gathered, in no particular order."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                await asyncio.sleep(self._dice.uniform(0.1, 0.3))
                self._dice.shuffle(self._waiting)
                while self._waiting:
                    bundle, self._waiting = self._waiting[:BUNDLE], self._waiting[BUNDLE:]
                    for _ in range(self._dice.randint(1, self.copies)):
                        task = asyncio.create_task(self._deliver(session, bundle))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, session: aiohttp.ClientSession, bundle: list[dict[str, Any]]) -> None:
        body = json.dumps(bundle).encode()
        while True:
            await asyncio.sleep(self._dice.uniform(0.0, 0.5))
            try:
                async with session.post(self.url, data=body, headers=self.signer.headers(body)) as response:
                    if response.status // 100 == 2:
                        self.delivered += 1
                        return
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass  # the web process may just have been killed: come again, as an ESP does
            self.refused += 1
            await asyncio.sleep(RETRY_SECONDS)
