"""Objects in S3 whose rows are certain: tagged, moved or deleted, if they are what was ingested."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from ingest_assets.declaration.source import Source
from ingest_assets.errors import ObjectStoreError
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.finished_object import FinishedObject, ObjectState, names_for, taken
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store_errors import explained

TAG = {"Key": "ingest_assets", "Value": "ingested"}
TAGS_AT_MOST = 10
ONE_COPY_BYTES = 5 * 1024**3
"""Larger objects are copied in parts: the limit of CopyObject."""
_PART_BYTES = 512 * 1024**2
_TO = "after_success.to"
_GET_TARGET = "s3:GetObject on the target and s3:ListBucket on its bucket"
_COPY = (
    "s3:GetObject and s3:GetObjectTagging on the source, s3:PutObject and s3:PutObjectTagging on "
    "the target"
)


@dataclass(frozen=True)
class _Place:
    bucket: str
    path: str

    @classmethod
    def of(cls, source: Source, key: str) -> "_Place":
        return cls(source.root.removeprefix("s3://"), source.prefix + key)

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.path}"

    @property
    def named(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.path}


class S3Finishing:
    """The objects of one source. One call a file, no retries: what fails is done again later.

    Raises:
        ObjectStoreError: there are no usable credentials.
    """

    def __init__(self, source: Source, connection: Connection, clients: S3Clients) -> None:
        self._source, self._connection, self._clients = source, connection, clients
        with self._explained(source.uri):
            self._s3 = clients.of(connection).writing

    @contextmanager
    def _explained(self, uri: str, **said: Any) -> Iterator[None]:
        with self._clients.used(self._connection), explained(uri, **said):
            yield

    def tag(self, file: SourceFile) -> FinishedObject:
        """The object has `TAG` besides its own tags.

        S3 has no conditional tagging: content that replaces the object between the look at it and
        the tag is tagged too early.
        """
        place = _Place.of(self._source, file.key)
        if self._found(place, file) is None:
            return self._gone()
        with self._explained(file.uri, doing="tagged", allow="s3:GetObjectTagging"):
            own = self._s3.get_object_tagging(**place.named)["TagSet"]
        others = [tag for tag in own if tag["Key"] != TAG["Key"]]
        if len(others) >= TAGS_AT_MOST:
            return FinishedObject(
                ObjectState.WAITING,
                why=f"{file.uri} was not tagged: it has {len(others)} tags, as many as S3 allows. "
                "Take one off.",
            )
        with self._explained(file.uri, doing="tagged", allow="s3:PutObjectTagging"):
            self._s3.put_object_tagging(**place.named, Tagging={"TagSet": [*others, TAG]})
        return FinishedObject(ObjectState.TAGGED)

    def move(self, file: SourceFile, to: Source) -> FinishedObject:
        """The content is in `to`, whole, and then no longer in the source. Nothing is overwritten.

        A copy that an earlier call made, and did not come to the end with, is taken for what it is
        when it has the same etag, or the etag in its name; else there are two, or, when the object
        has left the source by now, it is gone.
        """
        place = _Place.of(self._source, file.key)
        if self._found(place, file) is None:
            return self._moved_before(file, to)
        for name in names_for(file):
            target = _Place.of(to, name)
            copy, has_etag_in_name = self._head(target), name != file.key
            if copy is None:
                copy = self._copied(place, target, file, has_etag_in_name=has_etag_in_name)
            elif not _is_copy(file, copy, has_etag_in_name=has_etag_in_name):
                copy = None
            if copy is not None:
                self._delete(place, file, doing="moved")
                return _moved(target, copy)
        return taken(file, to)

    def delete(self, file: SourceFile) -> FinishedObject:
        """The object is gone; in a versioned bucket it has a delete marker, and its versions stay.

        A server that ignores If-Match on DELETE deletes also what replaces the object between the
        look at it and the deletion.
        """
        place = _Place.of(self._source, file.key)
        if self._found(place, file) is None:
            return self._gone()
        self._delete(place, file, doing="deleted")
        return FinishedObject(ObjectState.DELETED)

    def _moved_before(self, file: SourceFile, to: Source) -> FinishedObject:
        """Where an earlier call moved it. What has its plain name may be an older content."""
        for name in reversed(names_for(file)):
            target = _Place.of(to, name)
            copy = self._head(target)
            if copy is not None and _is_copy(file, copy, has_etag_in_name=name != file.key):
                return _moved(target, copy)
        self._list(to, allow=_GET_TARGET, field=_TO)
        return self._gone()

    def _gone(self) -> FinishedObject:
        self._list(self._source, allow="s3:ListBucket on the bucket", field="source.uri")
        return FinishedObject(ObjectState.GONE)

    def _list(self, there: Source, *, allow: str, field: str) -> None:
        """The bucket is there: of one that is not, a look says no more than that of an object."""
        bucket = there.root.removeprefix("s3://")
        with self._explained(there.uri, doing="listed", allow=allow, field=field):
            self._s3.list_objects_v2(Bucket=bucket, Prefix=there.prefix, MaxKeys=1)

    def _found(self, place: _Place, file: SourceFile) -> Any:
        """What the store says of the object; None if it is gone."""
        with self._explained(file.uri, doing="looked at", allow="s3:GetObject"):
            try:
                return self._s3.head_object(**place.named, IfMatch=f'"{file.etag}"')
            except ClientError as error:
                return _none_if_missing(error)

    def _head(self, target: _Place) -> Any:
        with self._explained(target.uri, doing="looked at", allow=_GET_TARGET, field=_TO):
            try:
                return self._s3.head_object(**target.named)
            except ClientError as error:
                return _none_if_missing(error)

    def _copied(
        self, place: _Place, target: _Place, file: SourceFile, *, has_etag_in_name: bool
    ) -> Any:
        """What the store says of the copy, which is whole; None if other content came over it."""
        made = None
        with self._explained(target.uri, doing="written", allow=_COPY, field=_TO):
            if file.size_bytes <= ONE_COPY_BYTES:
                answer = self._s3.copy_object(
                    **target.named, CopySource=place.named, CopySourceIfMatch=f'"{file.etag}"'
                )
                made = answer.get("CopyObjectResult", {}).get("ETag")
            else:
                self._s3.copy(
                    place.named,
                    **target.named,
                    ExtraArgs={"CopySourceIfMatch": f'"{file.etag}"'},
                    Config=TransferConfig(
                        multipart_threshold=ONE_COPY_BYTES, multipart_chunksize=_PART_BYTES
                    ),
                )
        copy = self._head(target)
        if (
            copy is not None
            and made is not None
            and copy["ETag"].strip('"') != made.strip('"')
            and not _is_copy(file, copy, has_etag_in_name=has_etag_in_name)
        ):
            return None
        size_bytes = None if copy is None else copy["ContentLength"]
        if size_bytes != file.size_bytes:
            raise ObjectStoreError(
                f"{target.uri} has {size_bytes} bytes after the copy of {file.uri}, which has "
                f"{file.size_bytes}. The source was left alone; delete the copy, and it is made "
                "again."
            )
        return copy

    def _delete(self, place: _Place, file: SourceFile, *, doing: str) -> None:
        allow = "s3:DeleteObject and s3:GetObject on the source"
        with self._explained(file.uri, doing=doing, allow=allow):
            self._s3.delete_object(**place.named, IfMatch=f'"{file.etag}"')


def _none_if_missing(error: ClientError) -> None:
    if error.response.get("Error", {}).get("Code") not in ("404", "NoSuchKey"):
        raise error


def _is_copy(file: SourceFile, found: Any, *, has_etag_in_name: bool) -> bool:
    """Not told by the etag alone: that of a copy differs after a multipart upload or under KMS."""
    if found["ContentLength"] != file.size_bytes:
        return False
    return has_etag_in_name or bool(found["ETag"].strip('"') == file.etag)


def _moved(target: _Place, found: Any) -> FinishedObject:
    return FinishedObject(ObjectState.MOVED, target.uri, found["ETag"].strip('"'))
