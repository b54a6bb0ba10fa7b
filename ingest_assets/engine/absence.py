"""What a listing passes by: known files whose objects are not where their keys would be."""

import logging
from datetime import datetime

from ingest_assets.files.discovery import ListedPage
from ingest_assets.ledger import gone_files
from ingest_assets.ledger.ledger import Ledger

logger = logging.getLogger(__name__)


class Absence:
    """The files of an ingestion that one listing, which goes on `after` a key, did not find.

    A listing proves that an object is gone only if it is in the byte order of the keys, as those of
    S3, local folders and sorted ones are. Where a page is not, nothing is said of this listing, and
    what it had said before is taken back. `began_at` is on Postgres's clock: files that the ledger
    learns of later may have been put where the listing had been already.
    """

    def __init__(self, ledger: Ledger, ingestion: str, after: str | None, began_at: datetime):
        self._ledger = ledger
        self._ingestion = ingestion
        self._place = after
        self._began_at = began_at
        self._is_in_order = True
        self.gone = 0

    def passed(self, page: ListedPage) -> None:
        """Known files up to the end of the page that are not in it are gone; those in it are not.

        Raises:
            LedgerError: Postgres does not answer; the next listing says it.
        """
        others = set(page.keys).difference(file.key for file in page.files)
        if others:
            with self._ledger.transaction() as connection:
                gone_files.note_back(connection, self._ingestion, sorted(others))
        if not self._is_in_order:
            return
        # Python compares texts by code point, which is the order of their UTF-8 bytes.
        if not _is_ascending(self._place or "", page.keys):
            self._give_up(page)
            return
        self._note(page.keys, upto=page.last_key)
        self._place = page.last_key

    def ended(self) -> None:
        """The listing came to its end, so known files beyond its last key are gone.

        Raises:
            LedgerError: as `passed`.
        """
        if self._is_in_order:
            self._note([], upto=None)

    def _note(self, listed: list[str], *, upto: str | None) -> None:
        while True:
            with self._ledger.transaction() as connection:
                noted = gone_files.note_absent(
                    connection,
                    self._ingestion,
                    listed,
                    after=self._place,
                    upto=upto,
                    known_before=self._began_at,
                )
            self.gone += noted
            if noted < gone_files.GONE_AT_MOST:
                return

    def _give_up(self, page: ListedPage) -> None:
        self._is_in_order, self.gone = False, 0
        with self._ledger.transaction() as connection:
            gone_files.take_back(connection, self._ingestion, self._began_at)
        logger.warning(
            "The source of %s is not listed in the byte order of its keys (see %r), so files that "
            "are gone from it are not noticed.",
            self._ingestion,
            page.keys[0],
        )


def _is_ascending(place: str, keys: list[str]) -> bool:
    return all(one < other for one, other in zip([place, *keys], keys, strict=False))
