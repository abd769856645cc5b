"""Pin, boost or block items in the lists that customers see, for a time; or end that early.

It takes effect within ten seconds where a server answers, and in the published lists with the next
release. It ends by itself. The page Overrides, under Reports, shows what is in force.

| field | what to write |
|---|---|
| `action` | `pin`: at a place. `boost`: to the front. `block`: nowhere. `end`: ends one early |
| `items` | their numbers, one a line, the first to be shown first |
| `place` | of a pin: the place of the first item, from 1 |
| `placement`, `market`, `category` | where it counts; empty counts everywhere |
| `since`, `until` | from when, empty for now; until when, at most a year |
| `override` | to end one early: its number, and nothing else but the reason |
| `reason` | why; it is kept beside your name, for good |

No rule shows what has no picture, is sold out or is not sold in the market that is asked for. Red:
nothing was written, the log says why. **Safe to rerun**: a run writes once. Owner: product.
"""

from typing import Any

from airflow.sdk import Param

from infra.airflow.defaults import (
    Counts,
    Owner,
    Run,
    Tag,
    dag_by_hand,
    form,
    reason_field,
    step,
    triggered_by,
)

TIME: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}
TEXT: dict[str, Any] = {"type": ["null", "string"], "maxLength": 200}
NUMBER: dict[str, Any] = {"type": ["null", "integer"], "minimum": 1}


@dag_by_hand(
    __doc__,
    Tag.SERVING,
    action=Param("block", enum=["pin", "boost", "block", "end"], title="Action"),
    items=Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Items",
        description="Their numbers, one a line",
    ),
    place=Param(None, **NUMBER, title="Place", description="Of a pin, from 1"),
    placement=Param(None, **TEXT, title="Placement", description="Empty: everywhere"),
    market=Param(None, **TEXT, title="Market", description="Empty: everywhere"),
    category=Param(None, **TEXT, title="Category", description="Empty: all"),
    since=Param(None, **TIME, title="From", description="In UTC; empty: now"),
    until=Param(None, **TIME, title="Until", description="In UTC; required, but not to end one"),
    override=Param(None, **NUMBER, title="Override to end", description="Its number"),
    reason=reason_field(),
)
def curate_placement() -> None:
    """Wire one record."""

    @step(Owner.PRODUCT, task_id="curate_placement")
    def write_record(run: Run) -> Counts:
        from models.merchandising.curate_placement import curate_placement

        return curate_placement(run.storage, form(), triggered_by(), run.key)

    write_record()


curate_placement()
