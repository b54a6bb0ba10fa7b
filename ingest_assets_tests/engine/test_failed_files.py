"""A file that fails leaves no trace: no rows of its first part, no column, no schema version."""

import warnings
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import schema_versions
from ingest_assets.orchestration.one_pass import PassResult, ingest_once
from ingest_assets.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def deployment(tmp_path: Path, fresh_database: str) -> Deployment:
    (tmp_path / "defs").mkdir()
    home = tmp_path / "home"
    return Deployment(Settings(home, tmp_path / "defs", home / "dagster", fresh_database))


def _ingest(deployment: Deployment, landing: Path) -> PassResult:
    ingestion = Ingestion.model_validate(
        {
            "name": "events",
            "source": {"uri": f"file://{landing}/"},
            "format": {"type": "parquet"},
            "table": {"identifier": "raw.events"},
        }
    )
    with dg.DagsterInstance.ephemeral() as instance, warnings.catch_warnings():
        return ingest_once(deployment, ingestion, instance)


def _put(path: Path, moments_us: list[int], *, damaged: bool = False, **others: list[int]) -> None:
    """A file with one row group a row, so that it is read in as many parts; or with a bad last."""
    rows = pa.table({"at": pa.array(moments_us, pa.timestamp("us", tz="UTC")), **others})
    pq.write_table(rows, path, row_group_size=1)
    if damaged:
        last = pq.read_metadata(path).row_group(len(moments_us) - 1).column(0)
        with path.open("r+b") as file:
            file.seek(last.data_page_offset)
            file.write(b"\xff" * 8)


def _rows(deployment: Deployment) -> pa.Table:
    return deployment.catalog.load_table("raw.events").scan().to_arrow()


def test_a_first_file_that_fails_in_its_middle_makes_neither_table_nor_version(
    deployment: Deployment, landing: Path
) -> None:
    _put(landing / "1.parquet", [0, 1], damaged=True)
    assert _ingest(deployment, landing).counts == {"DEAD_LETTER": 1}
    with deployment.ledger.transaction() as connection:
        assert schema_versions.active(connection, "events") is None
    _put(landing / "2.parquet", [1_000_000])
    assert _ingest(deployment, landing).counts == {"SUCCESS": 1}
    assert set(_rows(deployment)["_source_file"].to_pylist()) == {f"file://{landing}/2.parquet"}


def test_a_file_that_fails_beside_good_ones_adds_neither_rows_nor_its_column(
    deployment: Deployment, landing: Path
) -> None:
    _put(landing / "1.parquet", [0], a=[1])
    _put(landing / "2.parquet", [0, 1], damaged=True, a=[1, 2], wrong=[1, 2])
    _put(landing / "3.parquet", [0], a=[3], right=[3])
    _put(landing / "4.parquet", [0], a=[4])
    assert _ingest(deployment, landing).counts == {"DEAD_LETTER": 1, "SUCCESS": 3}
    rows = _rows(deployment)
    assert sorted(rows["a"].to_pylist()) == [1, 3, 4]
    assert "wrong" not in rows.column_names
    assert sorted(rows["right"].drop_null().to_pylist()) == [3]


def test_a_moment_beyond_year_9999_and_a_text_that_is_no_utf8_cost_their_rows_nothing(
    deployment: Deployment, landing: Path
) -> None:
    texts = pa.array([b"fine", b"Caf\xe9", b"fine"])
    table = {
        "at": pa.array([0, 1, 316_516_204_800_000_000], pa.timestamp("us", tz="UTC")),
        "name": pa.Array.from_buffers(pa.string(), 3, texts.buffers()),
    }
    pq.write_table(pa.table(table), landing / "1.parquet", row_group_size=2)
    result = _ingest(deployment, landing)
    assert result.is_all_well
    assert result.files["1.parquet"].rescued == 2
    rows = _rows(deployment).sort_by("_source_row")
    assert rows["name"].to_pylist() == ["fine", None, "fine"]
    assert [at is None for at in rows["at"].to_pylist()] == [False, False, True]
    assert rows["_rescued_data"].to_pylist() == [
        None,
        '{"name":"436166e9"}',
        '{"at":"12000-01-01 00:00:00.000000Z"}',
    ]
