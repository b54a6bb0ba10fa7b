"""What each kind of event says, and what to do about it: a group of events becomes a message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ingest_assets.alerts.message import NAMES_SHOWN, Message, clipped, in_utc, shown
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.alert_deliveries import Event
from ingest_assets.ledger.states import AlertKind

_LINK_CHARACTERS = 1000


@dataclass(frozen=True)
class _Said:
    title: str
    what: str
    next_step: str
    path: str
    count: int


@dataclass(frozen=True)
class Composer:
    """Puts together the messages of one ingestion; links begin with the address of the UI."""

    ingestion: Ingestion
    ui_url: str | None = None
    parked: Sequence[str] = field(default_factory=list)

    def message(self, kind: AlertKind, events: Sequence[Event]) -> Message:
        """One message for all of the events, which are of one kind and at least one.

        `parked` are the files that wait for the versions of a `schema_pending`.
        """
        said: _Said = getattr(self, f"_{kind.value}")([event.detail for event in events])
        return Message(
            kind=kind.value,
            title=f"{self.ingestion.name}: {said.title}",
            what=said.what,
            ingestion=self.ingestion.name,
            table=self.ingestion.table.identifier,
            since=in_utc(min(event.since for event in events)),
            count=said.count,
            link=f"{(self.ui_url or '').rstrip('/')}{said.path}",
            next_step=said.next_step,
        )

    @property
    def _asset(self) -> str:
        return "/assets/" + "/".join(self.ingestion.table.asset_key_path)

    def _schema_pending(self, details: list[dict[str, Any]]) -> _Said:
        name, files = self.ingestion.name, len(self.parked)
        versions = ", ".join(str(detail["version"]) for detail in details)
        waiting = "version {} waits" if len(details) == 1 else "versions {} wait"
        why = " ".join(clipped(detail["error"]) for detail in details[:NAMES_SHOWN])
        parked = f" Parked, with no row in the table: {shown(self.parked)}." if files else ""
        waits = f"a schema change waits for a decision, {_counted(files, 'file')} parked"
        return _Said(
            title=waits if files else "the declared columns wait for a decision",
            what=f"{name}: schema {waiting.format(versions)} for a person. {why}{parked} "
            "Files with the schema of the table go on.",
            next_step=f"`ingest-assets schema list {name}` shows what to decide, "
            f"`ingest-assets files {name} --status PARKED` the files.",
            path=f"{self._asset}?view=checks&checkDetail=schema_compatible",
            count=max(files, 1),
        )

    def _dead_letter(self, details: list[dict[str, Any]]) -> _Said:
        name = self.ingestion.name
        first = details[0]
        return _Said(
            title=f"{_counted(len(details), 'file')} dead-lettered",
            what="Trying again does not help, or all attempts are used up: "
            f"{shown([detail['key'] for detail in details])}. Nothing of "
            f"{'it' if len(details) == 1 else 'them'} is in the table since. The error of the "
            f"first, {first['error_type']}: {clipped(first['error'])}",
            next_step=f"`ingest-assets files {name} --status DEAD_LETTER` says why; mend the "
            "source and upload again under the same key, or after a fix elsewhere read them again "
            f"with `ingest-assets replay {name} --status DEAD_LETTER`.",
            path=f"{self._asset}?view=partitions{_partition(first['key'])}",
            count=len(details),
        )

    def _check_failed(self, details: list[dict[str, Any]]) -> _Said:
        table = self.ingestion.table.identifier
        names = sorted({detail["check"] for detail in details})
        keys = list(dict.fromkeys(detail["key"] for detail in details))
        rules = [detail for detail in details if detail["said"] is not None]
        rejected = sum(detail["rejected"] or 0 for detail in details)
        said = [f"{detail['key']}: {detail['said']}" for detail in rules[:NAMES_SHOWN]]
        if rejected:
            said.insert(
                0,
                f"{_counted(rejected, 'row')} could not be read and went to {table}"
                "__rejected; the others are in the table.",
            )
        return _Said(
            title=f"the check{'s' if len(names) > 1 else ''} {', '.join(names)} failed for "
            f"{_counted(len(keys), 'file')}",
            what=f"{' '.join(map(clipped, said))} It is about {shown(keys)}.",
            next_step=f"Look at {table}__rejected, which has the line, the text and the reason of "
            "each; a file that is mended and uploaded again replaces its rows."
            if rejected
            else "The check has the numbers of the first rows that break the rule, and says what "
            "became of them; a file that is mended and uploaded again replaces its rows.",
            path=f"{self._asset}?view=checks&checkDetail={quote(details[0]['check'], safe='')}",
            count=len(keys),
        )

    def _run_failed(self, details: list[dict[str, Any]]) -> _Said:
        name = self.ingestion.name
        is_one = len(details) == 1
        return _Said(
            title="a run failed" if is_one else f"{len(details)} runs failed",
            what=f"{'The run' if is_one else 'Among them the run'} {details[0]['run_id']}: "
            f"{clipped(details[0]['error'])}",
            next_step=f"Open the run; `ingest-assets files {name} --status FAILED` shows the files "
            "that are tried again by themselves.",
            path=f"/runs/{details[0]['run_id']}",
            count=len(details),
        )

    def _nothing_arrived(self, details: list[dict[str, Any]]) -> _Said:
        newest = details[-1]
        looked = newest.get("last_looked_at")
        when = f"was at {_minute(looked)} UTC" if looked else "has not come to its end yet"
        return _Said(
            title=f"nothing arrived for {newest['hours']:g} hours",
            what=f"No new or changed file under {self.ingestion.source.uri} matches "
            f"{self.ingestion.source.pattern}. The last look at it {when}.",
            next_step="`ingest-assets check --connect` tells whether the source answers; then ask "
            "whoever writes the files.",
            path=self._asset,
            count=1,
        )

    def _batch_slow(self, details: list[dict[str, Any]]) -> _Said:
        first = details[0]
        state = f"took {first['minutes']:.1f} minutes" if first["is_done"] else "is not done yet"
        run = first["run_id"]
        return _Said(
            title=f"{_counted(len(details), 'batch', 'batches')} took longer than "
            f"{first['limit_minutes']:g} minutes",
            what=f"Batch {first['batch_id']} of {_counted(first['files'], 'file')} {state}."
            + (f" {len(details) - 1} more took too long." if len(details) > 1 else ""),
            next_step="See in the run what it waits for; a smaller batch.max_files or "
            "batch.max_bytes makes shorter ones.",
            path=f"/runs/{run}" if run else self._asset,
            count=len(details),
        )


def _partition(key: str) -> str:
    """The part of a link that chooses the file; nothing for a name that makes it unwieldy."""
    quoted = quote(partition_key_of(key), safe="")
    return f"&partition={quoted}" if len(quoted) <= _LINK_CHARACTERS else ""


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"1 {one}" if count == 1 else f"{count} {many or one + 's'}"


def _minute(moment: str) -> str:
    return in_utc(datetime.fromisoformat(moment))[:16].replace("T", " ")
