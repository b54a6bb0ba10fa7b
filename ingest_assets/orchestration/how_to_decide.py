"""What a check says to a person who has to decide about a schema change."""

from typing import Any
from urllib.parse import quote

import dagster as dg
import yaml

from ingest_assets.orchestration.jobs import RESOLVE_JOB, resolve_config

_CHOICES = """
| resolution | what becomes of the table | what becomes of this file |
|---|---|---|
| `merge` | holds both shapes: types in conflict become text, what one shape lacks may be missing | read again |
| `accept` | has the file's types; files of the old shape wait in turn where they do not fit | read again |
| `ignore` | stays | read again; what does not fit goes to `_rescued_data`, what is missing is null |
| `backfill` | gets the new columns, with `defaults` or `expressions` for the rows that are there | read again |
| `new_table` | stays; this shape gets a table of its own, named in the plan | read into that table |
| `reject` | stays | REJECTED, never read |
"""  # noqa: E501 - a row of a table in markdown is a line


def how_to_decide(ingestion: str, version: int, location: str) -> dict[str, Any]:
    """What to launch and what to type, as metadata; the UI sorts it by name."""
    config = yaml.safe_dump(resolve_config(ingestion, version), sort_keys=False)
    # Dagster's UI opens a launchpad with the config of this address (seen in 1.13.27).
    path = f"/locations/{quote(location, safe='')}/jobs/{RESOLVE_JOB}/playground/setup"
    markdown = f"""Launch the job `{RESOLVE_JOB}` with this config, or with another `resolution`:

```yaml
{config}```

[Open the launchpad with this config]({path}?config={quote(config, safe="")})

As it stands the run shows the plan, down to the DDL, and changes nothing. To do it, launch it again
with `plan_only: false`.
{_CHOICES}
If the file is wrong, decide nothing: upload it mended under its key.
"""
    return {
        "decide_in_launchpad": dg.MetadataValue.md(markdown),
        "decide_on_command_line": f"ingest-assets schema resolve {ingestion} {version}",
    }
