"""The client of the page, compiled and run as a shop on the JVM would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.house import REPOSITORY
from tests.models.serving.running import Running

PAGE = REPOSITORY / "docs/how-to/ask_for_recommendations.md"
SHOP = """
public final class Shop {
    public static void main(String[] given) {
        Catwalk catwalk = new Catwalk(given[0], given[1]);
        Catwalk.Shown shown = catwalk.recommend("home", given[2]);
        for (int attempt = 0; shown.itemIds.isEmpty() && attempt < 100; attempt++) {
            shown = catwalk.recommend("home", given[2]);  // the first ones of a JVM take longer
        }
        System.out.println(shown.requestId + " " + String.join(",", shown.itemIds));
        System.out.println(catwalk.send(given[3]));
        System.out.println(catwalk.send("{}"));
        Catwalk nobody = new Catwalk("http://127.0.0.1:9", "x");
        System.out.println(nobody.recommend("home", "{}").itemIds.size());
        Catwalk stranger = new Catwalk(given[0], "shop.wrong");
        System.out.println(stranger.recommend("home", "{}").itemIds.size());
    }
}
"""


@pytest.mark.skipif(shutil.which("javac") is None, reason="there is no javac: a JRE, or no Java")
def test_the_client_of_the_page_asks_and_tells(server: Running, tmp_path: Path) -> None:
    [client] = re.findall(r"```java\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(client.splitlines()) <= 70
    (tmp_path / "Catwalk.java").write_text(client)
    (tmp_path / "Shop.java").write_text(SHOP)
    compiler = ["javac", "--release", "11", "-Werror", "-Xlint:all,-options", "Catwalk.java"]
    subprocess.run([*compiler, "Shop.java"], cwd=tmp_path, check=True, timeout=120)
    wanted = [item["item_id"] for item in server.ask("home", user_id="7", k=3)["items"]]
    event = {"event_type": "click", "user_id": "7", "item_id": wanted[0]}
    event["event_time"] = datetime.now(UTC).isoformat()
    address, question = f"http://127.0.0.1:{server.port}", {"user_id": "7", "k": 3}
    asked = [json.dumps(question), json.dumps({"events": [event]})]
    done = subprocess.run(
        ["java", "Shop", address, server.token, *asked],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    first, *others = done.stdout.splitlines()
    request_id, _, items = first.partition(" ")
    assert items.split(",") == wanted
    assert len(request_id) == 36
    assert others == ["true", "false", "0", "0"]
