"""Object stores: one way to list and to read, whatever holds the files.

Listing S3 is boto3's, because obstore's listing cannot express every key (a newline, an empty path
segment, a trailing slash) and fails as a whole on one; reading is obstore's wherever it can address
the key, because it costs a fifth of boto3's CPU.
"""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import obstore
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import from_url

from ingest_assets.errors import SourceChangedError
from ingest_assets.files.connections import Connection
from ingest_assets.files.credentials import endpoint_of, session_of
from ingest_assets.files.local_files import LocalFiles
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.spool import Spool
from ingest_assets.files.store_errors import explained
from ingest_assets.source_declaration import Source

logger = logging.getLogger(__name__)

PAGE_FILES = 1000
IN_MEMORY_BYTES = 32 * 1024**2
"""Objects up to this size are read into memory at once; larger ones go to a local file first."""
_RANGE_BYTES = 16 * 1024**2
_KEYS_TTL = timedelta(minutes=5)
"""Shorter than the ten minutes before their end in which botocore renews temporary keys."""
_NOT_ADDRESSABLE = re.compile(r"[\x00-\x1f\x7f]|//|^/|/$|(^|/)\.\.?(/|$)")
"""Keys that the object_store crate has no path for."""


class SourceStore:
    """The files of one declared source, reached over one connection."""

    def __init__(self, source: Source, connection: Connection, spool: Path) -> None:
        self._source = source
        self._connection = connection
        self._spool = spool
        self._is_s3 = source.root.startswith("s3://")
        self._is_local = source.root.startswith("file://")
        self._bucket = source.root.removeprefix("s3://")

    def pages(self, after: str | None = None) -> Iterator[list[SourceFile]]:
        """Every object under the prefix, in pages of `PAGE_FILES`, in the order of the listing.

        With `after`, only what follows that key in this order.

        That is the order of the keys' UTF-8 bytes on S3 and for local files; directory buckets and
        some other servers list folder by folder.

        Folder markers (keys that end in a slash) are not files and are left out; so are names that
        are not text in UTF-8, with a warning.

        Raises:
            ObjectStoreError: the store cannot be reached or refuses; says what to change.
        """
        with explained(self._source.uri):
            for page in self._s3_pages(after) if self._is_s3 else self._other_pages(after):
                files = [file for file in page if _is_file(file.key)]
                odd = [file for file in files if not _is_text(file.key)]
                for file in odd:
                    logger.warning(
                        "%r is left out: its name is not text in UTF-8. Give it another name.",
                        file.uri,
                    )
                if len(odd) < len(files):
                    yield [file for file in files if file not in odd]

    def _s3_pages(self, after: str | None) -> Iterator[list[SourceFile]]:
        beginning = {} if after is None else {"StartAfter": self._source.prefix + after}
        pages = self._s3.get_paginator("list_objects_v2").paginate(
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
        if self._is_local:
            listed = self._local.files()
        else:
            listed = sorted(self._listed_by_obstore(), key=lambda file: file.key.encode())
        files = [file for file in listed if after is None or file.key.encode() > after.encode()]
        for start in range(0, len(files), PAGE_FILES):
            yield files[start : start + PAGE_FILES]

    def _listed_by_obstore(self) -> Iterator[SourceFile]:
        prefix = self._source.prefix.removesuffix("/") or None
        for page in obstore.list(self._store, prefix=prefix):
            for item in page:
                etag, modified_at = item["e_tag"] or "", item["last_modified"]
                yield self._file(item["path"], item["size"], etag, modified_at)

    def _file(self, path: str, size_bytes: int, etag: str, modified_at: Any) -> SourceFile:
        key = path.removeprefix(self._source.prefix)
        uri = self._source.uri_of(key)
        return SourceFile(key, uri, size_bytes, etag.strip('"'), modified_at)

    def check(self) -> list[SourceFile]:
        """The source answers one small listing: `PAGE_FILES` of its files at most, in any order.

        Raises:
            ObjectStoreError: as `pages`.
        """
        with explained(self._source.uri):
            if self._is_s3:
                page = next(self._s3_pages(after=None))
            elif self._is_local:
                page = self._local.some(PAGE_FILES)
            else:
                page = list(islice(self._listed_by_obstore(), PAGE_FILES))
        return [file for file in page if _is_file(file.key)]

    def fetch(self, file: SourceFile) -> Content:
        """The bytes of the file at exactly its etag, in memory or in an unlinked local file.

        Raises:
            SourceChangedError: the object is gone, or has another etag or size by now.
            ObjectStoreError: the store cannot be reached or refuses.
        """
        with explained(file.uri):
            if file.size_bytes <= IN_MEMORY_BYTES:
                data = self._read(file, 0, file.size_bytes)
                return Content(file.key, file.size_bytes, lambda: BytesIO(data))
            spool = Spool(self._spool)
            for start in range(0, file.size_bytes, _RANGE_BYTES):
                spool.append(self._read(file, start, min(start + _RANGE_BYTES, file.size_bytes)))
        return Content(file.key, file.size_bytes, spool.open)

    def _read(self, file: SourceFile, start: int, end: int) -> bytes:
        path = self._source.prefix + file.key
        is_whole = (start, end) == (0, file.size_bytes)
        if self._is_local:
            data = self._local.read(file, start, end)
        elif self._is_s3 and _NOT_ADDRESSABLE.search(path):
            extra = {} if is_whole else {"Range": f"bytes={start}-{end - 1}"}
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=path, IfMatch=f'"{file.etag}"', **extra
            )
            data = answer["Body"].read()
        else:
            options: Any = {"if_match": f'"{file.etag}"'}
            if not is_whole:
                options["range"] = (start, end)
            data = bytes(obstore.get(self._store, path, options=options).bytes())
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
    def _session(self) -> Any:
        return session_of(self._connection)

    @cached_property
    def _endpoint(self) -> str | None:
        return endpoint_of(self._connection)

    @cached_property
    def _s3(self) -> Any:
        return self._session.client(
            "s3",
            endpoint_url=self._endpoint,
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"total_max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path" if self._endpoint else "auto"},
            ),
        )

    @cached_property
    def _store(self) -> Any:
        client: dict[str, Any] = {"connect_timeout": "5s", "timeout": "120s"}
        options: dict[str, Any] = {"retry_config": {"max_retries": 3}, "client_options": client}
        if self._is_s3:
            if self._session.get_credentials() is None:
                raise NoCredentialsError
            options["region"] = self._session.region_name
            options["credential_provider"] = Boto3CredentialProvider(self._session, ttl=_KEYS_TTL)
            if self._endpoint:
                options["endpoint"] = self._endpoint
                client["allow_http"] = self._endpoint.startswith("http://")
        return from_url(f"{self._source.root}/", **options)


def _is_file(key: str) -> bool:
    """Not a folder marker."""
    return bool(key) and not key.endswith("/")


def _is_text(key: str) -> bool:
    """Postgres, which keeps the key, takes neither a NUL nor half a character."""
    return "\0" not in key and not any("\ud800" <= char <= "\udfff" for char in key)
