"""Certificates that are made when a test runs, by the `openssl` program."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from unittest import SkipTest


def self_signed(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate for `host` and 127.0.0.1 that only itself vouches for, and its key: two PEM files.

    Raises `SkipTest` where there is no `openssl`.
    """
    program = shutil.which("openssl")
    if program is None:
        raise SkipTest("needs the openssl program to make a certificate")
    certificate, key = folder / f"{host}.pem", folder / f"{host}.key"
    arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    arguments += ["-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1"]
    arguments += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    arguments += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([program, *arguments], check=True, capture_output=True, timeout=30)  # noqa: S603 - fixed words
    return certificate, key


def serves_as(certificate: Path, key: Path) -> ssl.SSLContext:
    """The context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def trusts(certificate: Path) -> ssl.SSLContext:
    """The context of a client that trusts this certificate alone."""
    return ssl.create_default_context(cafile=str(certificate))
