"""What was used, by batch and by day: added up as it comes, and found again."""

from ingest_assets.cost.usage import Usage
from ingest_assets.ledger import usage
from ingest_assets.ledger.ledger import Ledger

LISTED = Usage(list_requests=3, get_requests=1)
WORKED = Usage(
    get_requests=10,
    table_get_requests=9,
    table_put_requests=4,
    read_bytes=1000,
    written_bytes=300,
    cpu_seconds=1.5,
)


def test_discovery_is_added_up_by_the_day_and_batches_stand_alone(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        usage.note(connection, "orders", LISTED)
    with ledger.transaction() as connection:
        usage.note(connection, "orders", LISTED)
        usage.note(connection, "orders", WORKED, "one")
        usage.note(connection, "orders", WORKED, "two")
        usage.note(connection, "others", WORKED, "three")
        assert usage.of_batch(connection, "one") == WORKED
        assert usage.of_batch(connection, "unknown") is None
        found = usage.of_days(connection, "orders", 1)
        assert found.discovery == LISTED + LISTED
        assert found.batches == WORKED + WORKED
        assert (found.batch_count, found.looking_spans, list(found.files)) == (2, 1, [])
        assert found.looking_seconds > 0
        nothing = usage.of_days(connection, "nobody", 30)
        assert (nothing.batches, nothing.batch_count, nothing.looking_seconds) == (Usage(), 0, 0.0)
    with ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE ingest.usage SET day = day - 3")
        assert usage.of_days(connection, "orders", 3).batch_count == 0
        assert usage.of_days(connection, "orders", 4).batch_count == 2
