"""Leases: which process works on a batch, and how another one takes over when it is gone."""

import json
import platform
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, text

from ingest_assets.ledger import archive

LEASE = timedelta(seconds=60)
RENEWAL = timedelta(seconds=15)


@cache
def _boot_id() -> str:
    """The boot and the pid namespace in which a pid means something; containers share the boot."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return str(int(psutil.boot_time()))
    return f"{boot.read_text().strip()} {namespace.readlink()}"


@dataclass(frozen=True)
class Holder:
    """One worker at one attempt: `token` is new for each, the rest tells whether it still lives."""

    host: str
    boot: str
    pid: int
    started: float
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def this_process(cls) -> "Holder":
        """A fresh holder for work that this process begins."""
        process = psutil.Process()
        return cls(platform.node(), _boot_id(), process.pid, _started(process))

    def as_json(self) -> str:
        """What the ledger keeps of it."""
        return json.dumps(asdict(self))


def _started(process: psutil.Process) -> float:
    """When the process began, on a clock that nobody sets: ticks since the boot, on Linux.

    Field 22 of /proc/<pid>/stat (proc_pid_stat(5)); psutil's time of day moves with the clock.
    """
    stat = Path(f"/proc/{process.pid}/stat")
    if stat.exists():
        return float(stat.read_text().rpartition(")")[2].split()[19])
    return process.create_time()


def is_known_dead(holder: dict[str, Any]) -> bool:
    """True only when the holder ran on this host and its process is gone for certain.

    A host of the same name with another boot may be another machine, so its leases run out.
    """
    if holder["host"] != platform.node() or holder["boot"] != _boot_id():
        return False
    try:
        process = psutil.Process(holder["pid"])
        is_same = abs(_started(process) - holder["started"]) < 1
        return not is_same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def renew(connection: Connection, batch_id: str, token: str) -> bool:
    """The lease runs for another `LEASE`; False when the batch is no longer the holder's."""
    renewed = connection.execute(
        text("""
            UPDATE ingest.batches SET lease_expires_at = now() + CAST(:lease AS interval)
            WHERE batch_id = :batch_id AND status = 'PREPARED' AND holder->>'token' = :token
            RETURNING batch_id
        """),
        {"batch_id": batch_id, "token": token, "lease": LEASE},
    ).first()
    return renewed is not None


def expire(connection: Connection, batch_id: str, token: str, note: str) -> None:
    """The holder gives its batch up to recovery, without deciding anything; `note` says why."""
    connection.execute(
        text("""
            UPDATE ingest.batches
            SET lease_expires_at = now() - interval '1 second', note = :note
            WHERE batch_id = :batch_id AND status = 'PREPARED' AND holder->>'token' = :token
        """),
        {"batch_id": batch_id, "token": token, "note": note},
    )


def take_over_lapsed(connection: Connection, ingestion: str, holder: Holder) -> list[str]:
    """The ids of the batches whose holder is gone, now held by `holder`, oldest first.

    From here on their former holders' `renew` says False, whatever they wake up to.
    """
    rows = connection.execute(
        text("""
            SELECT batch_id, holder, lease_expires_at < now() AS is_expired
            FROM ingest.batches
            WHERE ingestion = :ingestion AND status = 'PREPARED'
            ORDER BY created_at FOR UPDATE SKIP LOCKED
        """),
        {"ingestion": ingestion},
    ).all()
    lapsed = [row.batch_id for row in rows if row.is_expired or is_known_dead(row.holder)]
    if lapsed:
        connection.execute(
            text("""
                UPDATE ingest.batches
                SET holder = CAST(:holder AS jsonb),
                    lease_expires_at = now() + CAST(:lease AS interval)
                WHERE batch_id = ANY(:batch_ids)
            """),
            {"holder": holder.as_json(), "lease": LEASE, "batch_ids": lapsed},
        )
    return lapsed


def take_up_strays(
    connection: Connection, ingestion: str, in_main: Sequence[str], holder: Holder
) -> list[str]:
    """The ids of RELEASED batches among `in_main`, PREPARED again and held by `holder`.

    Their worker slept past its lease and then created the table, which nobody could fence. Their
    rows are there, so they will be finished. One whose files another batch holds is left for later.
    One of whose files a later batch has committed stays released: that batch replaced the rows, and
    the other files, which wait, are read again and do the same.
    """
    rows = connection.execute(
        text("""
            SELECT batch_id FROM ingest.batches b
            WHERE ingestion = :ingestion AND status = 'RELEASED' AND batch_id = ANY(:in_main)
              AND NOT EXISTS (
                  SELECT 1 FROM ingest.attempts a JOIN ingest.files f USING (file_id)
                  WHERE a.batch_id = b.batch_id AND f.batch_id IS NOT NULL)
              AND NOT EXISTS (
                  SELECT 1 FROM ingest.attempts a JOIN ingest.attempts l USING (file_id)
                  JOIN ingest.batches since ON since.batch_id = l.batch_id
                  WHERE a.batch_id = b.batch_id AND l.outcome = 'SUCCESS'
                    AND since.status = 'COMMITTED' AND since.snapshot_id IS NOT NULL
                    AND since.prepared_at > b.prepared_at)
            FOR UPDATE SKIP LOCKED
        """),
        {"ingestion": ingestion, "in_main": list(in_main)},
    ).all()
    return [row.batch_id for row in rows if _take_up(connection, row.batch_id, holder)]


def _take_up(connection: Connection, batch_id: str, holder: Holder) -> bool:
    """False, and nothing changed, when another batch came and took one of the files."""
    archive.bring_back(connection, batch_id)
    files = connection.execute(
        text("""
            SELECT f.file_id, f.batch_id FROM ingest.attempts a JOIN ingest.files f USING (file_id)
            WHERE a.batch_id = :batch_id ORDER BY f.key FOR NO KEY UPDATE OF f
        """),
        {"batch_id": batch_id},
    ).all()
    if any(file.batch_id is not None for file in files):
        return False
    values = {"batch_id": batch_id, "holder": holder.as_json(), "lease": LEASE}
    connection.execute(
        text("""
            UPDATE ingest.batches
            SET status = 'PREPARED', holder = CAST(:holder AS jsonb), finished_at = NULL,
                lease_expires_at = now() + CAST(:lease AS interval)
            WHERE batch_id = :batch_id
        """),
        values,
    )
    connection.execute(
        text("""
            UPDATE ingest.files SET batch_id = :batch_id, status = 'PROCESSING', updated_at = now()
            WHERE file_id = ANY(:file_ids)
        """),
        {**values, "file_ids": [file.file_id for file in files]},
    )
    return True
