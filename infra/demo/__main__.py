"""One whole retraining from landing files to a published model, shown step by step.

python -m infra.demo --simulate MODULE    a simulated shop; `make demo` names the module
python -m infra.demo --data FOLDER        a shop's own files; see docs/how-to/add_a_source.md
    --newest MODULE                       tells when the newest event was, of a folder that does not
    --serve MODULE                        asks this program for a list at the end
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from infra.airflow.report_links import DAG
from infra.belonging import require_own_stores
from infra.command_line import run_program
from infra.demo.data import Delivery, deliver_files, deliver_simulation
from infra.demo.own_folder import find_end
from infra.demo.progress import RunProgress
from infra.demo.request import ask_once
from infra.demo.summary import is_live, summary
from infra.errors import AirflowError
from infra.lake import run_key
from infra.settings import PREFIX, Settings
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_server import AirflowServer, client_of
from infra.shop.historic_shops import remember_end
from infra.shop.home_lock import HomeLock
from infra.shop_home import home_folder, is_remembered, open_home
from infra.storage import Storage

SMALL_DATA = {  # halves the start-up of a JVM, and would slow a long job
    f"{PREFIX}SPARK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
}


def main() -> int:
    """Deliver the data, retrain, and tell what came of it; 0 if a model went live."""
    arguments = _arguments()
    started = time.monotonic()
    as_of = _deliver(arguments)
    settings = open_home()
    require_own_stores(Storage(settings))
    with _airflow(settings) as (client, check):
        run = _retrain(client, check, as_of, settings)
    storage = Storage(settings)
    print(summary(storage, run_key(run), f"{time.monotonic() - started:.0f} s in all"), flush=True)
    if not is_live(storage, run_key(run)):
        return 1
    if arguments.serve:
        print(ask_once(storage, arguments.serve), flush=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="infra.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, help="folder of a shop's files")
    data.add_argument("--simulate", metavar="MODULE", help="program that simulates a shop")
    parser.add_argument("--newest", metavar="MODULE", help="program that finds the newest event")
    parser.add_argument("--serve", metavar="MODULE", help="program that is asked at the end")
    return parser.parse_args()


def _deliver(arguments: argparse.Namespace) -> datetime:
    """Put the data into the landing folder of the home, under settings that fit it.

    Returns
    -------
    datetime
        The moment to train for.
    """
    data: Path | None = arguments.data
    if data is None:
        delivery = deliver_simulation(open_home(SMALL_DATA), arguments.simulate)
    else:
        delivery = Delivery.of_files(data)
        chosen = SMALL_DATA | delivery.settings
        running = HomeLock(home_folder()).holder()
        if running and not is_remembered(chosen):
            raise AirflowError(
                f"`{running.program}` (process {running.pid}) runs with other settings than this "
                "data.",
                "Stop it, run the demo, and start it again.",
            )
        deliver_files(data, delivery, open_home(chosen))
    as_of = delivery.as_of or find_end(arguments.newest)
    if data is not None:
        remember_end(home_folder(), as_of)
    return as_of


@contextmanager
def _airflow(settings: Settings) -> Iterator[tuple[AirflowClient, Callable[[], None]]]:
    """Start Airflow, or use the one that `make up` runs on this home."""
    running = HomeLock(settings.home).holder()
    if running and running.alive and running.program == "make up":
        print(f"Using the Airflow of `make up` on port {running.airflow_port}.", flush=True)
        there = settings.model_copy(update={"airflow_port": running.airflow_port})
        yield client_of(there), lambda: None
        return
    print("Starting Airflow ...", flush=True)
    with AirflowServer(settings, "make demo", scheduled=False) as server:
        client = client_of(settings)
        client.unpause(DAG)
        for left in client.unfinished_runs(DAG):  # of a demo that was stopped half-way
            client.give_up(DAG, left)
        yield client, server.check


def _retrain(
    client: AirflowClient, check: Callable[[], None], as_of: datetime, settings: Settings
) -> str:
    """Trigger the DAG, show its tasks until it is finished, and return the id of the run."""
    run = client.trigger(DAG, {"as_of": as_of.isoformat()})
    print(f"Retraining as of {as_of:%Y-%m-%d %H:%M} UTC ({run})\n", flush=True)
    try:
        RunProgress(client, DAG, run, settings.airflow_home / "logs").follow(check)
    except KeyboardInterrupt:
        client.give_up(DAG, run)
        raise
    return run


if __name__ == "__main__":
    sys.exit(run_program(main))
