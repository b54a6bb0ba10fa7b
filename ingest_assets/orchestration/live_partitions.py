"""The dynamic set of an ingestion, as far as a tick has to look at it: not at all of its keys."""

import itertools
from collections.abc import Iterable, Sequence

import dagster as dg

from ingest_assets.orchestration.deadline import Deadline

KEYS_PER_INSERT = 1000


def remove_partitions(
    instance: dg.DagsterInstance, name: str, keys: Sequence[str], deadline: Deadline | None = None
) -> list[str]:
    """Those of the keys that are not in the set any more; the others stay in their order.

    All of them, at once in our event log storage. Others delete one key after the other, which
    takes 15 ms each on stock Postgres and ends with the deadline, after one key at least.
    """
    in_bulk = getattr(instance.event_log_storage, "delete_dynamic_partitions", None)
    if in_bulk is not None:
        in_bulk(name, keys)
        return list(keys)
    removed = list[str]()
    for key in keys:
        instance.delete_dynamic_partition(name, key)
        removed.append(key)
        if deadline is not None and deadline.is_over:
            break
    return removed


def stand_together(
    instance: dg.DagsterInstance, name: str, batches: Sequence[Sequence[str]]
) -> None:
    """The keys of each batch follow each other in the set, in the batch's order.

    Keys that are elsewhere in it (retries, changed files) leave and come again, at its end.
    """
    if not batches:
        return
    live = _positions(instance, name, itertools.chain.from_iterable(batches))
    moved: list[str] = []
    added: list[str] = []
    for keys in batches:
        at = [live.get(key, -1) for key in keys]
        if at[0] >= 0 and at == list(range(at[0], at[0] + len(keys))):
            continue
        moved += [key for key in keys if key in live]
        added += keys
    if moved:
        remove_partitions(instance, name, moved)
    for start in range(0, len(added), KEYS_PER_INSERT):
        instance.add_dynamic_partitions(name, added[start : start + KEYS_PER_INSERT])


def _positions(instance: dg.DagsterInstance, name: str, keys: Iterable[str]) -> dict[str, int]:
    """Where those of the keys stand that are in the set.

    Most often none is, because files are new: then the set, of up to 50,000 keys, is not loaded.
    """
    live = instance.get_existing_dynamic_partitions(name, list(keys))
    if not live:
        return {}
    ordered = instance.get_dynamic_partitions(name)
    return {key: position for position, key in enumerate(ordered) if key in live}
