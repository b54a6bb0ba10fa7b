"""Replays: files that are read again because somebody asks for it, planned before it is done.

They are DISCOVERED with all their attempts, so the next tick or pass reads them like any other
file, and their rows are replaced.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ingest_assets.decision_errors import ReplayRefusedError
from ingest_assets.deployment import Deployment
from ingest_assets.files.pattern import matcher
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup, replays
from ingest_assets.ledger.replays import Candidate
from ingest_assets.ledger.standing import refuse_deleted
from ingest_assets.ledger.states import FileStatus

KEYS_SHOWN = 5
PAGE_FILES = 10_000


@dataclass(frozen=True)
class Choice:
    """Which files are to be read again: those that fit everything that is given.

    `key` is a glob on the relative key, `error` a part of the error. The ages count from the last
    change of a file's state. `all_files` stands for no condition.
    """

    statuses: tuple[FileStatus, ...] = ()
    error_type: str | None = None
    error: str | None = None
    key: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    has_rejected_rows: bool = False
    all_files: bool = False

    @property
    def effective_statuses(self) -> tuple[FileStatus, ...]:
        """The states that are named, or what goes without saying.

        REJECTED, SKIPPED and SUCCESS are as somebody wanted them.
        """
        if self.statuses:
            return self.statuses
        return replays.REPLAYABLE if self.has_rejected_rows else lookup.NEED_ATTENTION

    def to_json(self) -> dict[str, Any]:
        """The conditions that were given, for the audit."""
        given = {
            "statuses": [status.value for status in self.statuses],
            "error_type": self.error_type,
            "error": self.error,
            "key": self.key,
            "older_than": str(self.older_than) if self.older_than else None,
            "newer_than": str(self.newer_than) if self.newer_than else None,
            "rejected_rows": self.has_rejected_rows,
            "all": self.all_files,
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Share:
    """So many files, of so many bytes together."""

    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class ReplayPlan:
    """What would be read again; nothing has changed.

    `keys`, `held_keys` and `taken_away_keys` are the first of each. `held` files belong to a batch,
    `left_out` ones are outside of `source.pattern`, the rows of `taken_away` ones are in the table
    and their objects gone, and `others` fit but for their state: all of these stay as they are.
    """

    ingestion: Ingestion
    choice: Choice
    by_status: dict[FileStatus, Share] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    held: int = 0
    held_keys: tuple[str, ...] = ()
    left_out: int = 0
    taken_away: int = 0
    taken_away_keys: tuple[str, ...] = ()
    others: dict[FileStatus, int] = field(default_factory=dict)
    file_ids: tuple[int, ...] = field(default=(), repr=False)

    @property
    def files(self) -> int:
        """How many would be read again."""
        return len(self.file_ids)


def plan_replay(deployment: Deployment, ingestion: Ingestion, choice: Choice) -> ReplayPlan:
    """The files that fit, and those that fit and stay.

    Raises:
        ReplayRefusedError: there is no condition, or the glob is none.
        DeletedError: the ingestion is deleted.
        LedgerError: Postgres does not answer.
    """
    matches = _checked_pattern(choice)
    sorting = _Sorting(frozenset(choice.effective_statuses))
    named = choice.statuses or (*replays.REPLAYABLE, FileStatus.PROCESSING)
    with deployment.ledger.transaction() as connection:
        refuse_deleted(connection, ingestion.name)
        for found in replays.candidates(
            connection,
            ingestion.name,
            statuses=named,
            error_type=choice.error_type,
            error=choice.error,
            older_than=choice.older_than,
            newer_than=choice.newer_than,
            has_rejected_rows=choice.has_rejected_rows,
        ):
            if matches(found.key):
                sorting.add(found)
    return ReplayPlan(
        ingestion,
        choice,
        {s: Share(sorting.files[s], sorting.size_bytes[s]) for s in sorted(sorting.files)},
        tuple(sorting.keys),
        sorting.held,
        tuple(sorting.held_keys),
        sorting.left_out,
        sorting.taken_away,
        tuple(sorting.taken_away_keys),
        {s: sorting.others[s] for s in sorted(sorting.others)},
        tuple(sorting.file_ids),
    )


def _checked_pattern(choice: Choice) -> Callable[[str], bool]:
    if choice == Choice():
        raise ReplayRefusedError(
            "Which files? Give a status (as in --status DEAD_LETTER), an error, a key, an age, "
            "rejected rows, or all. Nothing was changed."
        )
    if choice.key is None:
        return lambda _key: True
    try:
        return matcher(choice.key)
    except ValueError as error:
        raise ReplayRefusedError(f"The key {error}. Nothing was changed.") from error


@dataclass
class _Sorting:
    """Found files, sorted into those that are read again and those that stay as they are."""

    wanted: frozenset[FileStatus]
    files: Counter[FileStatus] = field(default_factory=Counter)
    size_bytes: Counter[FileStatus] = field(default_factory=Counter)
    others: Counter[FileStatus] = field(default_factory=Counter)
    file_ids: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    held: int = 0
    held_keys: list[str] = field(default_factory=list)
    left_out: int = 0
    taken_away: int = 0
    taken_away_keys: list[str] = field(default_factory=list)

    def add(self, found: Candidate) -> None:
        if found.is_held:
            self.held += 1
            self.held_keys += [found.key] if len(self.held_keys) < KEYS_SHOWN else []
        elif found.status not in self.wanted:
            self.others[found.status] += 1
        elif found.is_left_out:
            self.left_out += 1
        elif found.is_taken_away:
            self.taken_away += 1
            self.taken_away_keys += [found.key] if len(self.taken_away_keys) < KEYS_SHOWN else []
        else:
            self.files[found.status] += 1
            self.size_bytes[found.status] += found.size_bytes
            self.file_ids.append(found.file_id)
            self.keys += [found.key] if len(self.keys) < KEYS_SHOWN else []


def replay(deployment: Deployment, plan: ReplayPlan, by: str, note: str) -> int:
    """The files of the plan wait to be read again, with all their attempts; how many.

    Fewer than planned if a batch took some meanwhile, or their state changed: those stay. Cut off
    in between, some are sent back and the others are as before; a new plan finds those.

    Raises:
        LedgerError: Postgres went away; as if cut off.
    """
    detail = {"chosen": plan.choice.to_json(), "note": note}
    replayed = 0
    for start in range(0, plan.files, PAGE_FILES):
        with deployment.ledger.transaction() as connection:
            replayed += replays.send_back(
                connection,
                plan.ingestion.name,
                plan.file_ids[start : start + PAGE_FILES],
                plan.choice.effective_statuses,
                actor=by,
                detail=detail,
            )
    return replayed
