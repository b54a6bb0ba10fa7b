"""Tables in a Glue catalog: what Glue is told of them, and that a commit there is made once.

The server is moto's, which keeps what it is told; that it refuses a second update of one version is
added to it (`aws_server`).
"""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.glue import GlueCatalog
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from ingest_assets.errors import LeaseLostError
from ingest_assets.tables import racing
from ingest_assets.tables.commit import Steps, commit, fence
from ingest_assets.tables.compaction import compact
from ingest_assets.tables.compaction_plan import FileSizes
from ingest_assets.tables.expiry import expire
from ingest_assets.tables.expiry_plan import Retention
from ingest_assets_tests.aws_server import AwsServer
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.tables.lake import (
    IDENTIFIER,
    OWNER,
    Lake,
    columns,
    layout,
    read_by_duckdb,
)

MOMENT = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
EVERY_TYPE: dict[str, tuple[pa.DataType, Any, str, str, str]] = {
    # name: Arrow type, value, in Glue, in duckdb, in Spark
    "a_boolean": (pa.bool_(), True, "boolean", "BOOLEAN", "boolean"),
    "an_int": (pa.int32(), -(2**31), "int", "INTEGER", "int"),
    "a_long": (pa.int64(), 2**63 - 1, "bigint", "BIGINT", "bigint"),
    "a_float": (pa.float32(), 0.5, "float", "FLOAT", "float"),
    "a_double": (pa.float64(), 1e300, "double", "DOUBLE", "double"),
    "a_decimal": (
        pa.decimal128(38, 0),
        Decimal(10**37),
        "decimal(38,0)",
        "DECIMAL(38,0)",
        "decimal(38,0)",
    ),
    "a_price": (
        pa.decimal128(10, 2),
        Decimal("-12.30"),
        "decimal(10,2)",
        "DECIMAL(10,2)",
        "decimal(10,2)",
    ),
    "a_date": (pa.date32(), date(1, 1, 1), "date", "DATE", "date"),
    "a_time": (pa.time64("us"), time(23, 59, 59, 999999), "string", "TIME", ""),
    "a_timestamp": (
        pa.timestamp("us"),
        MOMENT.replace(tzinfo=None),
        "timestamp",
        "TIMESTAMP",
        "timestamp_ntz",
    ),
    "a_timestamptz": (
        pa.timestamp("us", "UTC"),
        MOMENT,
        "timestamp",
        "TIMESTAMP WITH TIME ZONE",
        "timestamp",
    ),
    "a_string": (pa.string(), "\N{SNOWMAN}'\"\n", "string", "VARCHAR", "string"),
    "a_binary": (pa.binary(), b"\x00\xff", "binary", "BLOB", "binary"),
    "a_fixed": (pa.binary(4), b"\x00abc", "binary", "BLOB", "binary"),
    "a_list": (pa.list_(pa.int64()), [1, None], "array<bigint>", "BIGINT[]", "array<bigint>"),
    "a_map": (
        pa.map_(pa.string(), pa.float64()),
        [("k", 0.5)],
        "map<string,double>",
        "MAP(VARCHAR, DOUBLE)",
        "map<string,double>",
    ),
    "a_struct": (
        pa.struct([("city", pa.string()), ("tags", pa.list_(pa.string()))]),
        {"city": "Bern", "tags": ["x"]},
        "struct<city:string,tags:array<string>>",
        "STRUCT(city VARCHAR, tags VARCHAR[])",
        "struct<city:string,tags:array<string>>",
    ),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def properties(aws: AwsServer, tmp_path: Path) -> dict[str, str]:
    """A Glue catalog with its warehouse in a folder, where every reader of Parquet comes to it."""
    for database in aws.client("glue").get_databases()["DatabaseList"]:
        aws.client("glue").delete_database(Name=database["Name"])
    return {
        "type": "glue",
        "glue.endpoint": aws.url,
        "glue.region": aws.region,
        "glue.access-key-id": "moto",
        "glue.secret-access-key": "moto",
        "warehouse": f"file://{tmp_path}/warehouse",
    }


@pytest.fixture
def glue(properties: dict[str, str]) -> Lake:
    return Lake(load_catalog("lake", **properties))


def entry(aws: AwsServer, table: str = "orders") -> Any:
    """What Glue has of the table."""
    return aws.client("glue").get_table(DatabaseName="raw", Name=table)["Table"]


def types(aws: AwsServer) -> dict[str, str]:
    """The columns of the present schema, as Glue has them."""
    found = entry(aws)["StorageDescriptor"]["Columns"]
    return {
        column["Name"]: column["Type"]
        for column in found
        if column["Parameters"]["iceberg.field.current"] == "true"
    }


def _every_type() -> pa.Table:
    return pa.table(
        {n: pa.array([value, None], type_) for n, (type_, value, *_) in EVERY_TYPE.items()}
    )


def test_every_type_has_a_name_in_glue_and_is_read_as_it_was_written(
    aws: AwsServer, glue: Lake, spark_session: SparkSession
) -> None:
    rows = _every_type()
    glue.write({1: rows}, shape=columns(**{f.name: f.type for f in rows.schema}))
    told = types(aws)
    assert {name: told[name] for name in EVERY_TYPE} == {n: e[2] for n, e in EVERY_TYPE.items()}
    assert told["_file_id"] == "bigint"
    assert told["_ingested_at"] == "timestamp"
    seen = read_by_duckdb(glue.addresses())
    described = read_by_duckdb(
        glue.addresses(), ", ".join(f"typeof({n}) AS {n}" for n in EVERY_TYPE)
    )
    assert described.to_pylist()[0] == {n: e[3] for n, e in EVERY_TYPE.items()}
    assert seen.select(list(EVERY_TYPE)).to_pylist() == rows.to_pylist()
    _check_spark(spark_session, glue.addresses(), rows)


def _check_spark(session: SparkSession, addresses: list[str], rows: pa.Table) -> None:
    """Spark has no type for a time of day, and then reads none of the columns unless it is told."""
    with pytest.raises(AnalysisException, match="TIME is not supported"):
        session.read.parquet(*addresses)
    names = [name for name in EVERY_TYPE if name != "a_time"]
    schema = ", ".join(f"{name} {EVERY_TYPE[name][4]}" for name in names)
    session.conf.set("spark.sql.session.timeZone", "UTC")
    frame = session.read.schema(f"{schema}, _source_row bigint").parquet(*addresses)
    [first, second] = (row.asDict(recursive=True) for row in frame.orderBy("_source_row").collect())
    expected = rows.to_pylist()[0]
    expected |= {"a_map": dict(expected["a_map"])}
    expected["a_timestamptz"] = expected["a_timestamptz"].replace(tzinfo=None)
    first["a_timestamptz"] = first["a_timestamptz"].astimezone(UTC).replace(tzinfo=None)
    assert {name: first[name] for name in names} == {name: expected[name] for name in names}
    assert all(second[name] is None for name in names)


def test_glue_is_told_of_every_change(aws: AwsServer, glue: Lake) -> None:
    glue.write({1: pa.table({"id": pa.array([1], pa.int32())})}, layout("bucket(4, id)"))
    told = entry(aws)
    assert told["TableType"] == "EXTERNAL_TABLE"
    assert told["Parameters"]["table_type"] == "ICEBERG"
    [comment] = [
        c["Comment"] for c in told["StorageDescriptor"]["Columns"] if c["Name"] == "_file_id"
    ]
    assert comment == "One number a key."
    for number in (2, 3, 4):
        glue.write({number: pa.table({"id": pa.array([number]), "note": ["x"]})})
        assert entry(aws)["Parameters"]["metadata_location"] == glue.table.metadata_location
    assert (types(aws)["id"], types(aws)["note"]) == ("bigint", "string")
    done = compact(glue.catalog, IDENTIFIER, OWNER, FileSizes(10**7, 2), Path("/nowhere"))
    assert done.groups == 1
    expire(
        glue.catalog,
        IDENTIFIER,
        OWNER,
        Retention(1, timedelta(hours=-1)),
        datetime.now(UTC),
        lambda in_main, abandoned: frozenset(),
        lambda uuid, positions: None,
    )
    assert entry(aws)["Parameters"]["metadata_location"] == glue.table.metadata_location
    assert len(glue.table.snapshots()) == 1
    assert glue.column("id") == [1, 2, 3, 4]


class _MetGlueCatalog(GlueCatalog):
    """Meets another one after each has read the table's version, and before either updates it."""

    meeting: threading.Barrier | None = None

    def _update_glue_table(self, *arguments: Any, **named: Any) -> None:
        meeting, self.meeting = self.meeting, None
        if meeting is not None:
            meeting.wait(30)
        super()._update_glue_table(*arguments, **named)


def test_of_two_commits_at_once_the_second_is_refused_and_made_again(
    properties: dict[str, str], glue: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(racing, "WAIT_SECONDS", (0.0, 0.05))
    glue.write({1: pa.table({"id": [1]})})
    meeting, refused = threading.Barrier(2), list[str]()

    def work(number: int) -> None:
        catalog = _MetGlueCatalog("lake", **properties)
        prepared = Lake(catalog).stage(
            Lake(catalog).open(), columns(id=pa.int64()), {number: pa.table({"id": [number]})}
        )
        catalog.meeting = meeting
        tries = []
        commit(prepared, lambda: True, Steps(loaded=lambda: tries.append(number)))
        refused.extend(["refused"] * (len(tries) - 1))

    workers = [threading.Thread(target=work, args=[number]) for number in (2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert refused == ["refused"]
    assert glue.column("id") == [1, 2, 3]


def test_a_fence_stops_a_worker_that_slept(glue: Lake) -> None:
    glue.write({1: pa.table({"id": [1]})})
    prepared = glue.stage(glue.open(), columns(id=pa.int64()), {2: pa.table({"id": [2]})})
    held = [True]

    def taken_over() -> None:
        """Right before the commit: recovery finds nothing, and fences it off."""
        if held[0]:
            assert fence(glue.catalog, IDENTIFIER, prepared.batch_id) is None
        held[0] = False

    with pytest.raises(LeaseLostError):
        commit(prepared, lambda: held[0], Steps(lease_checked=taken_over))
    assert glue.column("id") == [1]
    assert glue.table.current_snapshot().summary["ingest.fence"] == prepared.batch_id


def test_a_run_with_a_glue_catalog_and_a_warehouse_in_s3(
    aws: AwsServer, tmp_path: Path, fresh_database: str
) -> None:
    bucket = aws.make_bucket()
    product = Product(
        tmp_path / "user",
        aws,
        bucket,
        INGEST_POSTGRES_URL=fresh_database,
        PYICEBERG_CATALOG__LAKE__TYPE="glue",
        PYICEBERG_CATALOG__LAKE__WAREHOUSE=f"s3://{bucket}/lake",
        PYICEBERG_CATALOG__LAKE__GLUE__ENDPOINT=aws.url,
        PYICEBERG_CATALOG__LAKE__S3__ENDPOINT=aws.url,
        PYICEBERG_CATALOG__LAKE__S3__REGION=aws.region,
    )
    product.declare("glued", maintenance={"min_files": 2}, batch={"max_files": 1})
    for number in range(3):
        line = f'{{"Order ID": {number}, "placedAt": "2024-05-01T10:00:0{number}Z"}}'
        product.put(f"{number}.json", line.encode(), "glued")
    product.put(
        "3.json",
        b'{"Order ID": 3, "placedAt": "2024-05-02T10:00:00Z", "coupon": {"code": "x"}}',
        "glued",
    )
    done = product("run", "glued")
    assert done.returncode == 0, (done.stdout, done.stderr)
    told = aws.client("glue").get_table(DatabaseName="raw", Name="glued")["Table"]
    seen = {c["Name"]: (c["Type"], c.get("Comment")) for c in told["StorageDescriptor"]["Columns"]}
    assert seen["order_id"] == ("bigint", "Order ID")
    assert seen["placed_at"] == ("timestamp", "placedAt")
    assert seen["coupon"][0] == "struct<code:string>"
    [report] = product.json("maintain", "glued", "--yes")
    [found] = report["tables"]
    assert (found["compact"]["old_files"], found["compact"]["new_files"]) == (4, 1)
    catalog = load_catalog(
        "lake",
        **{
            "type": "glue",
            "glue.endpoint": aws.url,
            "glue.region": aws.region,
            "glue.access-key-id": "moto",
            "glue.secret-access-key": "moto",
            "s3.endpoint": aws.url,
            "s3.access-key-id": "moto",
            "s3.secret-access-key": "moto",
        },
    )
    rows = catalog.load_table("raw.glued").scan().to_arrow()
    assert sorted(rows["order_id"].to_pylist()) == [0, 1, 2, 3]
    assert product("run", "glued").returncode == 0
    assert catalog.load_table("raw.glued").scan().count() == 4
