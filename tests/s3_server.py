"""A real S3 server for tests, Ceph RGW from Debian, and a proxy that breaks its connections.

One monitor, one object store in memory and one gateway, on free ports of the loopback. What is
left after a test run is its folder only: every daemon ends when its guard or this process does.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import select
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

from infra.shop.processes import GuardedProcess, stop_all

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "ceph-authtool", "monmaptool", "radosgw")
PACKAGES = "radosgw ceph-mon ceph-osd ceph-common"
BUCKET = "catwalk"
ACCESS_KEY, SECRET_KEY = "tester", "the secret of the tester"
PAGE = 20  # keys per listing, so that a test needs few objects to see a second page
START_SECONDS = 30.0
CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
mon data = {folder}/mon
keyring = {folder}/keyring
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}
log file = {folder}/$name.ceph
admin socket =
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1
# The gateway makes pools one by one: with the default of a second each, a start takes 14 s.
paxos propose interval = 0.02
paxos min wait = 0.01
rgw data = {folder}/rgw
# Without tcp_nodelay each read takes 40 ms: the body waits for the headers' acknowledgement.
rgw frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} \
ssl_certificate={folder}/certificate.pem ssl_private_key={folder}/key.pem
rgw thread pool size = 32
rgw max listing results = {page}
"""


class S3Server:
    """A server with one bucket and one user; `start` takes about 3 s, everything is in memory.

    Parameters
    ----------
    folder : Path
        Empty; holds the configuration and the logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._tls_port, self._mon_port = free_port(), free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.tls_endpoint = f"https://127.0.0.1:{self._tls_port}"
        self.certificate = folder / "certificate.pem"
        self._daemons: dict[str, GuardedProcess] = {}

    def start(self) -> None:
        """Return once the bucket is there."""
        self._configure()
        self._guard("mon", "ceph-mon", "-i", "a", "-f")
        osd = str(uuid.uuid4())
        self._run("ceph", "--connect-timeout", "30", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._guard("osd", "ceph-osd", "-i", "0", "-f")
        self._wait("osd", lambda: "1 up" in self._run("ceph", "osd", "stat"))
        self.start_gateway()
        user = ["--uid=tester", "--display-name=tester", f"--access-key={ACCESS_KEY}"]
        self._run("radosgw-admin", "user", "create", *user, f"--secret-key={SECRET_KEY}")
        self._make_bucket()

    def stop(self) -> None:
        """End what was started here, at once: nothing of it is worth keeping."""
        for name in self._daemons:
            self._kill(name)
        stop_all(list(self._daemons.values()))

    def start_gateway(self) -> None:
        """Start the part that speaks HTTP; what the bucket holds is elsewhere."""
        self._guard("gateway", "radosgw", "-n", "client.admin", "-f")
        self._wait("gateway", lambda: answers(self.endpoint))

    def kill_gateway(self) -> None:
        """End it as a power cut would: no answer is finished."""
        self._kill("gateway")
        self._daemons["gateway"].wait()

    def _kill(self, name: str) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._daemons[name].pid).children():
                process.kill()

    def _configure(self) -> None:
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        fsid, ports = str(uuid.uuid4()), {"port": self.port, "tls_port": self._tls_port}
        self._file("ceph.conf").write_text(
            CONFIGURATION.format(
                fsid=fsid, folder=self.folder, mon_port=self._mon_port, page=PAGE, **ports
            )
        )
        write_certificate(self.certificate, self._file("key.pem"))
        self._make_keys()
        monitors, keys = str(self._file("monmap")), str(self._file("keyring"))
        address = f"[v2:127.0.0.1:{self._mon_port}]"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monitors)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors, "--keyring", keys)

    def _make_keys(self) -> None:
        everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr"]
        keyring = str(self._file("keyring"))
        self._run("ceph-authtool", "--create-keyring", keyring)
        for name in ("mon.", "client.admin", "osd.0"):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *everything, "allow *")

    def _make_bucket(self) -> None:
        from boto3.session import Session

        session = Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)
        session.client("s3", endpoint_url=self.endpoint).create_bucket(Bucket=BUCKET)

    def _guard(self, name: str, *command: str) -> None:
        configured = [*command, "-c", str(self._file("ceph.conf"))]
        self._daemons[name] = GuardedProcess(name, configured, self._environment(), self.folder)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}{self._logs()}")
        return done.stdout

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._daemons[name].status is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start.{self._logs()}")
            time.sleep(0.05)

    def _logs(self) -> str:
        return "".join(f"\n{name}: {one.last_lines()}" for name, one in self._daemons.items())

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "CEPH_CONF": str(self._file("ceph.conf"))}

    def _file(self, name: str) -> Path:
        return self.folder / name


class BreakingProxy:
    """Passes bytes on to a local port until it is told to break, as networks do.

    Attributes
    ----------
    sent : int
        Bytes that clients sent so far.
    allowed : int or None
        How many they may send; then every connection is cut, and none is accepted any more.
    lost_answers : int
        How many of the next answers never arrive, although the server did what was asked.
    when_cut : callable
        Called once at the cut.
    """

    def __init__(self, port: int) -> None:
        self.sent = 0
        self.allowed: int | None = None
        self.lost_answers = 0
        self.when_cut: Callable[[], None] = lambda: None
        self._port = port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more; what is open ends with its client."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def is_cut(self) -> bool:
        """Whether the clients have sent all they may."""
        return self.allowed is not None and self.sent >= self.allowed

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                if self.is_cut:
                    client.close()
                else:
                    threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._port)) as server,
        ):
            while not self.is_cut:
                for side in select.select([client, server], [], [], 0.1)[0]:
                    content = side.recv(65536)
                    if not content or (side is server and self._loses(content)):
                        return
                    if side is client:
                        server.sendall(self._let_through(content))
                    else:
                        client.sendall(content)

    def _let_through(self, content: bytes) -> bytes:
        with self._lock:
            was_cut = self.is_cut
            if self.allowed is not None:
                content = content[: self.allowed - self.sent]
            self.sent += len(content)
            if self.is_cut and not was_cut:
                self.when_cut()
        return content

    def _loses(self, content: bytes) -> bool:
        with self._lock:
            lost = self.lost_answers > 0 and not content.startswith(b"HTTP/1.1 100")
            self.lost_answers -= lost
        return lost


def missing_programs() -> list[str]:
    """Return what the server needs and this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def write_certificate(certificate: Path, key: Path) -> None:
    """Write a certificate for 127.0.0.1, valid for a day, that vouches for itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    signed = builder.sign(private, hashes.SHA256())
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
