"""Object stores: one way to list and to read, whatever holds the files.

Listing S3 is boto3's, because obstore's listing cannot express every key (a newline, an empty path
segment, a trailing slash) and fails as a whole on one; reading is obstore's wherever it can address
the key, because it costs a fifth of boto3's CPU.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import NotFoundError, PermissionDeniedError

from ingest_assets.cost.meter import METER
from ingest_assets.declaration.source import Source
from ingest_assets.errors import SourceChangedError
from ingest_assets.files import object_store
from ingest_assets.files.clients import S3Client, S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.credentials import endpoint_of
from ingest_assets.files.local_files import LocalFiles
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.source_file import SourceFile, is_file, is_text
from ingest_assets.files.spool import Spool
from ingest_assets.files.store_errors import explained

logger = logging.getLogger(__name__)

PAGE_FILES = 1000
IN_MEMORY_BYTES = 32 * 1024**2
"""Objects up to this size are read into memory at once; larger ones go to a local file first."""
_RANGE_BYTES = 16 * 1024**2


class SourceStore:
    """The files of one declared source, reached over one connection."""

    def __init__(
        self,
        source: Source,
        connection: Connection,
        spool: Path,
        clients: S3Clients | None = None,
        patience: object_store.Patience | None = None,
    ) -> None:
        self._source = source
        self._connection = connection
        self._spool = spool
        self._clients = clients or S3Clients()
        self._patience = patience or object_store.PATIENT
        self._is_s3 = source.root.startswith("s3://")
        self._is_local = source.root.startswith("file://")
        self._bucket = source.root.removeprefix("s3://")
        self._elsewhere: dict[str, SourceStore] = {}

    def pages(self, after: str | None = None) -> Iterator[list[SourceFile]]:
        """Every object under the prefix, in pages of `PAGE_FILES`, in the order of the listing.

        With `after`, only what follows that key in this order: that of the keys' UTF-8 bytes, for
        which Azure is listed whole; directory buckets and some servers list folder by folder.

        Folder markers (keys that end in a slash) are not files and are left out; so are names that
        are not text in UTF-8, with a warning.

        Raises:
            ObjectStoreError: the store cannot be reached or refuses; says what to change.
        """
        with self._explained():
            for page in self._s3_pages(after) if self._is_s3 else self._other_pages(after):
                METER.add(list_requests=0 if self._is_local else 1)
                files = [file for file in page if is_file(file.key)]
                odd = [file for file in files if not is_text(file.key)]
                for file in odd:
                    logger.warning(
                        "%r is left out: its name is not text in UTF-8. Give it another name.",
                        file.uri,
                    )
                if len(odd) < len(files):
                    yield [file for file in files if file not in odd]

    def _s3_pages(self, after: str | None) -> Iterator[list[SourceFile]]:
        beginning = {} if after is None else {"StartAfter": self._source.prefix + after}
        pages = self._client.boto3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._source.prefix,
            PaginationConfig={"PageSize": PAGE_FILES},
            **beginning,
        )
        for page in pages:
            yield [
                self._file(item["Key"], item["Size"], item["ETag"], item["LastModified"])
                for item in page.get("Contents", [])
            ]

    def _other_pages(self, after: str | None) -> Iterator[list[SourceFile]]:
        listed: Iterable[SourceFile]
        if self._is_local:
            listed = self._local.files()
        elif self._source.root.startswith("gs://"):
            listed = self._listed_by_obstore(after)
        else:
            listed = sorted(self._listed_by_obstore(), key=lambda file: file.key.encode())
        files = (file for file in listed if after is None or file.key.encode() > after.encode())
        while page := list(islice(files, PAGE_FILES)):
            yield page

    def _listed_by_obstore(self, after: str | None = None) -> Iterator[SourceFile]:
        prefix, offset = self._source.prefix, after and self._source.prefix + after
        folder = prefix.removesuffix("/") or None
        for page in obstore.list(self._store, prefix=folder, offset=offset):
            for item in page:
                etag, modified_at = item["e_tag"] or "", item["last_modified"]
                yield self._file(item["path"], item["size"], etag, modified_at)

    def _file(self, path: str, size_bytes: int, etag: str, modified_at: Any) -> SourceFile:
        key = path.removeprefix(self._source.prefix)
        return SourceFile(key, self._source.uri_of(key), size_bytes, etag.strip('"'), modified_at)

    @property
    def place(self) -> str:
        """What answers for the source: where several have the same, they answer or none does.

        Raises:
            ConfigurationError: the environment names something that is no address.
        """
        return (endpoint_of(self._connection) if self._is_s3 else None) or self._source.root

    @contextmanager
    def _explained(self, uri: str | None = None) -> Iterator[None]:
        with self._clients.used(self._connection), explained(uri or self._source.uri):
            yield

    def check(self) -> list[SourceFile]:
        """The source answers one small listing: `PAGE_FILES` of its files at most, in any order.

        Raises:
            ObjectStoreError: as `pages`.
        """
        with self._explained():
            if self._is_s3:
                page = next(self._s3_pages(after=None))
            elif self._is_local:
                page = self._local.some(PAGE_FILES)
            else:
                page = list(islice(self._listed_by_obstore(), PAGE_FILES))
        return [file for file in page if is_file(file.key)]

    def head(self, key: str) -> SourceFile | None:
        """The object of S3 with the relative `key` as it is now; None where there is none.

        As a listing tells of it, but `modified_at` may be to the second. A bucket that does not
        exist may hold none, too: `check` tells. What may not be looked at is listed by itself,
        because S3 denies a look at what is gone where only a prefix may be listed.

        Raises:
            ObjectStoreError: the store cannot be reached or refuses.
        """
        path = self._source.prefix + key
        with self._explained(self._source.uri_of(key)), suppress(NotFoundError, FileNotFoundError):
            if object_store.is_addressable(path):
                with suppress(PermissionDeniedError):
                    meta = obstore.head(self._looks, path)
                    etag, modified_at = meta["e_tag"] or "", meta["last_modified"]
                    return self._file(path, meta["size"], etag, modified_at)
            listed = self._client.boto3.list_objects_v2(Bucket=self._bucket, Prefix=path, MaxKeys=1)
            for item in listed.get("Contents", []):
                if item["Key"] == path:
                    return self._file(path, item["Size"], item["ETag"], item["LastModified"])
        return None

    def fetch(self, file: SourceFile) -> Content:
        """The bytes of the file at exactly its etag, in memory or in an unlinked local file.

        Raises:
            SourceChangedError: the object is gone, or has another etag or size by now.
            ObjectStoreError: the store cannot be reached or refuses.
        """
        with self._explained(file.uri):
            if file.size_bytes <= IN_MEMORY_BYTES:
                data = self._read(file, 0, file.size_bytes)
                return Content(file.key, file.size_bytes, lambda: BytesIO(data))
            spool = Spool(self._spool)
            for start in range(0, file.size_bytes, _RANGE_BYTES):
                spool.append(self._read(file, start, min(start + _RANGE_BYTES, file.size_bytes)))
        return Content(file.key, file.size_bytes, spool.open)

    def fetch_moved(self, file: SourceFile, uri: str, etag: str) -> Content:
        """The bytes of a file that `after_success` moved to `uri`, where it has this etag.

        Raises:
            SourceChangedError: it is no longer there, or other content is.
            ObjectStoreError: the store cannot be reached or refuses.
        """
        scheme, _, place = uri.partition("://")
        bucket, _, path = place.partition("/")
        whole = self._source.model_copy(update={"uri": f"{scheme}://{bucket}"})
        store = self._elsewhere.setdefault(
            whole.uri, SourceStore(whole, self._connection, self._spool, self._clients)
        )
        content = store.fetch(replace(file, key=path, uri=uri, etag=etag))
        return replace(content, name=file.key)

    def _read(self, file: SourceFile, start: int, end: int) -> bytes:
        path = self._source.prefix + file.key
        is_whole = (start, end) == (0, file.size_bytes)
        if self._is_local:
            data = self._local.read(file, start, end)
        elif self._is_s3 and not object_store.is_addressable(path):
            extra = {} if is_whole else {"Range": f"bytes={start}-{end - 1}"}
            answer = self._client.boto3.get_object(
                Bucket=self._bucket, Key=path, IfMatch=f'"{file.etag}"', **extra
            )
            data = answer["Body"].read()
        else:
            options: Any = {"if_match": f'"{file.etag}"'}
            if not is_whole:
                options["range"] = (start, end)
            data = bytes(obstore.get(self._store, path, options=options).bytes())
        METER.add(get_requests=0 if self._is_local else 1, read_bytes=len(data))
        if len(data) != end - start:
            raise SourceChangedError(
                f"{file.uri} gave {len(data)} bytes from offset {start} where the listing "
                f"promised {end - start}; nothing of it was used. It is tried again."
            )
        return data

    @cached_property
    def _local(self) -> LocalFiles:
        return LocalFiles(Path("/", self._source.prefix))

    @cached_property
    def _client(self) -> S3Client:
        return self._clients.of(self._connection)

    @cached_property
    def _store(self) -> Any:
        access = self._client if self._is_s3 else None
        return object_store.open_object_store(self._source.root, access, self._patience)

    @cached_property
    def _looks(self) -> Any:
        return object_store.open_object_store(self._source.root, self._client, object_store.LOOKING)
