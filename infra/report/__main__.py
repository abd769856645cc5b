"""Renders the page of a run from its records: `python -m infra.report run=manual__...`.

Every task of a retraining does so when it ends; this is for records that a program saved outside
Airflow. The address is printed, and any browser turns that into a picture without further code:
`chromium --headless --screenshot=run.png --window-size=1280,2400 file://ADDRESS`.
"""

from __future__ import annotations

import argparse

from infra.report.page import write_report
from infra.settings import load_settings
from infra.storage import Storage


def main() -> None:
    """Read the run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.report", description=__doc__)
    parser.add_argument("run", help="folder of the run in the reports, such as run=manual__...")
    print(write_report(Storage(load_settings()), parser.parse_args().run))


if __name__ == "__main__":
    main()
