"""Whether a file can be read again without loss; no I/O."""

from ingest_assets.declaration.source import OnChangedFile
from ingest_assets.engine.decision_text import counted
from ingest_assets.ledger.recorded import RecordedFile

READABLE = ("DISCOVERED", "FAILED", "SUCCESS")
"""The states of files whose turn can come."""


def why_not_read(file: RecordedFile, *, is_there: bool | None) -> str | None:
    """Why reading the file again is no remedy now; None if its object is there and its turn comes.

    `is_there` says whether its object is; None when nobody looked.
    """
    if file.status not in READABLE:
        return f"it is {file.status}, so it is not read again before that is settled"
    if is_there is None:
        return "compare with the bucket too, to see whether it can be read again"
    if not is_there:
        return "its object is gone, so only who has the file can bring it back"
    return None


def why_unwanted(file: RecordedFile, mode: OnChangedFile) -> str | None:
    """Why `mode` forbids to read the file again; None if it does not.

    Under `ignore` its newest content may be one that is to stay unread. And but under `append`,
    what is read takes the place of all rows of the file, also of the older contents that `append`
    kept and that nothing can read again.
    """
    has_newer = file.committed_content_id not in (None, file.content_id)
    if mode == "ignore" and has_newer and not file.is_asked:
        return (
            "its object has newer content, which source.on_changed_file: ignore leaves unread; "
            "upload the content of before again, or materialize the partition to have the newer one"
        )
    if mode != "append" and file.kept:
        return (
            f"reading it again under source.on_changed_file: {mode} would delete the rows of "
            f"{counted(len(file.kept), 'older content')} that append kept; with append declared, "
            "only the newest one's are replaced"
        )
    return None
