"""SQL for dynamic sets of tens of thousands of partitions, on Dagster's own table.

Read in dagster 1.13.27. To drop: `delete` when Dagster deletes many keys in one call, `ordered`
when it loads 50,000 keys in less than 20 ms.
"""

from collections.abc import Sequence

import sqlalchemy

# Private, because Dagster has no other name for its tables.
from dagster._core.storage.event_log.schema import DynamicPartitionsTable
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

_SET = DynamicPartitionsTable.c


def ordered(connection: Connection, name: str) -> list[str]:
    """The keys of the set, in the order in which they were added."""
    keys = postgresql.aggregate_order_by(_SET.partition, _SET.id)
    query = sqlalchemy.select(sqlalchemy.func.array_agg(keys)).where(
        _SET.partitions_def_name == name
    )
    return list(connection.execute(query).scalar() or ())


def delete(connection: Connection, name: str, keys: Sequence[str]) -> None:
    """The set has none of the keys."""
    is_one = _SET.partition == sqlalchemy.any_(
        sqlalchemy.cast(list(keys), postgresql.ARRAY(sqlalchemy.Text))
    )
    connection.execute(
        DynamicPartitionsTable.delete().where(_SET.partitions_def_name == name, is_one)
    )
