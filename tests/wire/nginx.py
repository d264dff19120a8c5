"""Debian's nginx with the configuration that we ship, on a port of ours and without TLS."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from config import ports

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
SHIPPED = Path(settings.BASE_DIR) / "docs" / "operations" / "nginx.conf"
AROUND = """
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
events {{ worker_connections 8000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/carillon.conf;
}}
"""


@contextmanager
def running_nginx(folder: Path, *, upstream: int, first_port: int) -> Iterator[int]:
    """The port on which it passes requests on to `upstream`."""
    port, redirecting = ports.free(first_port), ports.free(first_port + 100)
    lines = [line for line in _with_certificate(folder).splitlines() if not line.strip().startswith("ssl_")]
    text = "\n".join(lines).replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};").replace("listen [::]:443 ssl;", "")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{redirecting};").replace("listen [::]:80;", "")
    _write(folder, text)
    process = subprocess.Popen([str(NGINX), "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        _until_it_listens(process, folder)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def check(folder: Path) -> str:
    """What `nginx -t` says of the file as it is shipped, with a certificate of its own; empty if nothing is wrong."""
    _write(folder, _with_certificate(folder))
    done = subprocess.run(
        [str(NGINX), "-q", "-t", "-c", str(folder / "nginx.conf"), "-p", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode or done.stderr else ""


def _write(folder: Path, text: str) -> None:
    (folder / "carillon.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder), encoding="utf-8")


def _with_certificate(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(minutes=1)
    ).sign(key, hashes.SHA256())
    (folder / "own.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "own.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    text = SHIPPED.read_text(encoding="utf-8")
    return text.replace("/etc/ssl/carillon.crt", str(folder / "own.crt")).replace(
        "/etc/ssl/carillon.key", str(folder / "own.key")
    )


def _until_it_listens(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 30
    while not (folder / "nginx.pid").exists() or not (folder / "nginx.pid").read_text().strip():
        log = folder / "error.log"
        assert process.poll() is None and time.monotonic() < deadline, log.read_text() if log.exists() else "no nginx"
        time.sleep(0.05)
