"""Which files' rows are certain: the table says so, never the ledger alone."""

from collections import defaultdict
from collections.abc import Sequence

from ingest_assets.ledger.source_objects import IngestedFile
from ingest_assets.tables.catalog import Catalog
from ingest_assets.tables.main_branch import batches_of, contents_in_main


def proven(catalog: Catalog, table: str, files: Sequence[IngestedFile]) -> frozenset[int]:
    """The ids of the files whose rows are in `main` of their tables at this moment.

    `table` is the identifier of the declared one, which files without a route are in.
    Their batch is among the ancestors of `main`; or, where its snapshot has expired, a row of their
    content is there. A file without rows is certain unless its batch was rolled back.

    Raises:
        CatalogError: a table cannot be asked.
    """
    tables = defaultdict[str, list[IngestedFile]](list)
    for file in files:
        tables[file.route or table].append(file)
    found = set[int]()
    for identifier, members in tables.items():
        batches = batches_of(catalog, identifier)
        in_main, abandoned = set(batches.in_main), set(batches.abandoned)
        asked = [
            file
            for file in members
            if file.batch_id not in in_main and file.batch_id not in abandoned and file.rows
        ]
        contents = (
            contents_in_main(catalog, identifier, {file.content_id for file in asked})
            if asked
            else frozenset[int]()
        )
        found.update(
            file.file_id
            for file in members
            if file.batch_id in in_main
            or file.content_id in contents
            or (not file.rows and file.batch_id not in abandoned)
        )
    return frozenset(found)
