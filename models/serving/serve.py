"""Serves what is live over HTTP, with as many workers as the settings say; Ctrl-C stops all.

CATWALK_HOME=var/my_shop python -m models.serving.serve
"""

from __future__ import annotations

import argparse
import gc
import importlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
from contextlib import closing, suppress
from typing import Any

from uvicorn import Config, _subprocess
from uvicorn.supervisors import Multiprocess

from infra.command_line import run_program
from infra.errors import StorageError
from infra.ledger.tokens import first_token, read_tokens
from infra.settings import Settings
from infra.shop_home import open_home
from infra.storage import Storage
from models.serving.following.remembered import Remembered
from models.serving.home import known, metrics_folder
from models.serving.own_keys import require_own_keys_live

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_WORKER = "models.serving.worker"
_APPLICATION = f"{_WORKER}:application"
_PROTOCOL = "models.serving.api.protocol:ImpatientProtocol"


def main() -> int:
    """Start the workers, and stay until told to stop."""
    argparse.ArgumentParser(
        prog="models.serving.serve", description=__doc__.splitlines()[0]
    ).parse_args()
    settings = open_home()
    config = _config(settings)
    require_own_keys_live(Storage(settings))
    with closing(config.bind_socket()) as socket:  # ends here if another server has the port
        _prepare_machine(settings)
        print(_welcome(settings, _first_token(Storage(settings))), flush=True)
        _let_workers_be_copies()
        Multiprocess(config, [socket]).run()
    return 0


def _prepare_machine(settings: Settings) -> None:
    """Set what the workers inherit: threads of BLAS, where metrics are, how many files are open."""
    folder = metrics_folder(settings)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _let_workers_be_copies() -> None:
    """Import what workers need, once, and fork them: each is ready sooner and shares that memory.

    On Linux alone: elsewhere libraries do not bear it, and uvicorn starts workers anew as it does.
    """
    if sys.platform != "linux":
        return
    importlib.import_module(_WORKER)
    gc.collect()
    gc.freeze()  # or collecting in a worker would write to all of it
    os.register_at_fork(after_in_child=_forget_signals)
    _subprocess.spawn = multiprocessing.get_context("fork")  # type: ignore[assignment]


def _forget_signals() -> None:
    """Let a worker end by a signal before uvicorn listens to it there, not queue it forever."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _first_token(storage: Storage) -> str:
    """Make a token where none is valid; "" where one is, or the storage is away.

    A folder without any record of a token, though this home remembers some, is not mounted.
    """
    with suppress(StorageError):  # workers go on with what they remember
        if read_tokens(storage).last or not Remembered(known(storage.settings)).tokens():
            return first_token(storage)
    return ""


def _welcome(settings: Settings, token: str) -> str:
    lines = [
        f"  Serving  http://{settings.serving_host}:{settings.serving_port}",
        f"  Home     {settings.home}",
    ]
    if token:
        lines += [f"  Token    {token}", "           (shown this once: only its hash is kept)"]
    return "\n".join(lines)


def _config(settings: Settings) -> Config:
    return Config(
        _APPLICATION,
        factory=True,
        host=settings.serving_host,
        port=settings.serving_port,
        workers=settings.serving_workers,
        loop="uvloop",
        http=_PROTOCOL,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=LOGGING,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,  # longer than load balancers keep a connection
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=15,
    )


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"}
    },
    "handlers": {"errors": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "catwalk": {"handlers": ["errors"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["errors"], "level": "INFO", "propagate": False},
    },
}


if __name__ == "__main__":
    sys.exit(run_program(main))
