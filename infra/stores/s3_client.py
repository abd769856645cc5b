"""Makes the clients of boto3: how long they wait, and how often they try again."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

from infra.errors import StorageError
from infra.stores.s3_faults import FAILURES

# boto3 waits up to 1, 2, 4, 8, 16, 20, 20, ... s between attempts, at random: 55 s for ten.
PATIENT, HASTY = 10, 4  # a service that refuses is told after about 3 s by four attempts


def client_of(core: botocore.session.Session, endpoint: str, attempts: int) -> Any:
    """Return a client of S3.

    Raises
    ------
    StorageError
        The address of the service makes no sense, or no machine has such a name.
    """
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=3,
        read_timeout=30,
        # Over https boto3 sends checksums after the body; Ceph RGW 16 answers that with
        # MissingContentLength. Only AWS itself is sure to take them.
        request_checksum_calculation="when_required" if endpoint else "when_supported",
    )
    if attempts > HASTY:
        _require_known_host(endpoint)  # no retry finds it
    return _made(core, endpoint, config)


def stranger_of(endpoint: str) -> Any:
    """Return a client that says nothing of who it is, as anybody may have one."""
    once = {"total_max_attempts": 1, "mode": "standard"}
    config = Config(signature_version=UNSIGNED, retries=once, read_timeout=10)
    return _made(botocore.session.get_session(), endpoint, config)


def _made(core: botocore.session.Session, endpoint: str, config: Config) -> Any:
    try:
        session = boto3.session.Session(botocore_session=core)
        return session.client("s3", endpoint_url=endpoint or None, config=config)
    except (ValueError, *FAILURES) as error:
        raise StorageError(
            f"S3 cannot be used: {error}.", "Correct CATWALK_S3_ENDPOINT or boto3's own settings."
        ) from error


def _require_known_host(endpoint: str) -> None:
    host = urlsplit(endpoint).hostname
    try:
        if host:
            socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        if error.errno == socket.EAI_NONAME:
            raise StorageError(
                f"No machine is called {host}.", "Correct CATWALK_S3_ENDPOINT."
            ) from error
