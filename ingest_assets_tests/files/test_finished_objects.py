"""A move that is done again, on either kind of store: whose content is what lies at the target."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.declaration.source import Source
from ingest_assets.errors import ObjectStoreError
from ingest_assets.files import clients
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.finished_object import FinishedObject, ObjectState
from ingest_assets.files.finishing import finishing
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets_tests.conftest import S3Server

GONE = FinishedObject(ObjectState.GONE)


class Archived:
    """A source and the place that its objects move to."""

    def __init__(self, root: str, spool: Path, s3: S3Server, bucket: str) -> None:
        self.source, self.archive = Source(uri=f"{root}/in/"), Source(uri=f"{root}/done/")
        self._store = SourceStore(self.source, Connection(), spool)
        self._finishing = finishing(self.source, Connection(), S3Clients())
        self._s3, self._bucket = s3.client, bucket

    def put(self, body: bytes) -> SourceFile:
        """The object `latest.csv` has this content now; how it is listed."""
        if self.source.root.startswith("s3://"):
            self._s3.put_object(Bucket=self._bucket, Key="in/latest.csv", Body=body)
        else:
            path = Path("/", self.source.prefix, "latest.csv")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)
        (listed,) = [file for page in self._store.pages() for file in page]
        return listed

    def take_away(self, key: str = "in/latest.csv") -> None:
        """Somebody deletes the object."""
        if self.source.root.startswith("s3://"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        else:
            Path("/", self.source.prefix).parent.joinpath(key).unlink()

    def take_all_away(self) -> None:
        """The bucket is not there, as at a wrong endpoint; or the folder, not mounted."""
        if self.source.root.startswith("s3://"):
            self._s3.delete_object(Bucket=self._bucket, Key="in/latest.csv")
            self._s3.delete_bucket(Bucket=self._bucket)
        else:
            folder = Path("/", self.source.prefix)
            folder.rename(folder.with_name("away"))

    def delete(self, file: SourceFile) -> FinishedObject:
        """What became of the file."""
        return self._finishing.delete(file)

    def move(self, file: SourceFile) -> FinishedObject:
        """What became of the file."""
        return self._finishing.move(file, self.archive)

    def read(self, file: SourceFile, moved: FinishedObject) -> bytes:
        """What a replay of the file reads."""
        assert moved.moved_to is not None
        assert moved.moved_etag is not None
        content = self._store.fetch_moved(file, moved.moved_to, moved.moved_etag)
        with content.open() as opened:
            return opened.read()


@pytest.fixture(params=["s3", "local"])
def archived(
    request: pytest.FixtureRequest,
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    s3: S3Server,
    bucket: str,
) -> Archived:
    is_local = request.param == "local"
    root = f"file://{tmp_path}/landing" if is_local else f"s3://{bucket}"
    (tmp_path / "landing").mkdir()
    return Archived(root, tmp_path / "spool", s3, bucket)


def test_a_move_done_again_finds_its_own_content_among_others_of_the_same_size(
    archived: Archived,
) -> None:
    first = archived.put(b"older")
    older = archived.move(first)
    second = archived.put(b"newer")
    newer = archived.move(second)
    assert newer.moved_to == archived.archive.uri_of(f"latest.csv.{second.etag}")

    assert archived.move(second) == newer
    assert archived.move(first) == older

    assert archived.read(second, newer) == b"newer"
    assert archived.read(first, older) == b"older"


def test_an_object_that_somebody_took_away_is_not_found_in_another_of_its_size(
    archived: Archived,
) -> None:
    archived.move(archived.put(b"older"))
    second = archived.put(b"newer")
    archived.take_away()
    assert archived.move(second) == GONE


@pytest.mark.parametrize("action", [Archived.move, Archived.delete])
def test_where_there_is_no_bucket_or_folder_no_object_is_called_gone(
    archived: Archived, action: Callable[[Archived, SourceFile], FinishedObject]
) -> None:
    file = archived.put(b"older")
    archived.take_all_away()
    with pytest.raises(ObjectStoreError, match="does not exist") as caught:
        action(archived, file)
    assert type(caught.value) is ObjectStoreError, "not one about this object alone"


def test_all_that_finish_the_objects_of_a_connection_share_one_client(
    environment: pytest.MonkeyPatch, bucket: str, s3: S3Server
) -> None:
    made, make = [], clients.s3_client

    def counted(*arguments: Any, **options: Any) -> Any:
        made.append(options["attempts"])
        return make(*arguments, **options)

    environment.setattr(clients, "s3_client", counted)
    shared = S3Clients()
    for key in ("a", "b"):
        s3.client.put_object(Bucket=bucket, Key=key, Body=b"x")
        source = Source(uri=f"s3://{bucket}/")
        store = SourceStore(source, Connection(), s3.folder, shared)
        (file,) = [file for page in store.pages() for file in page]
        done = finishing(source, Connection(), shared).delete(file)
        assert done == FinishedObject(ObjectState.DELETED)
    assert sorted(made) == [1, clients.ATTEMPTS], "what changes objects is asked for once"
