"""What is known of the files' own fields in the course of a batch with a transform."""

from ingest_assets.declaration.transform import needed_columns
from ingest_assets.engine.schema_state import SchemaState
from ingest_assets.files.reading.known_source import KnownSource, expected_source
from ingest_assets.files.reading.made_columns import MadeColumns
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.source_shapes import SourceShape
from ingest_assets.schema.column import Columns
from ingest_assets.schema.types import columns_from_json, columns_to_json
from ingest_assets.transforms.declared_transform import transform_of
from ingest_assets.transforms.errors import TransformDeclarationError, TransformError
from ingest_assets.transforms.made import Source


def open_source(ingestion: Ingestion, stored: SourceShape | None, state: SchemaState) -> None:
    """The state knows the fields that files had so far, if they are read as those were.

    Raises:
        TransformDeclarationError: the transform does not go with them. Nothing was read.
    """
    if ingestion.transform is None or stored is None or stored.format != _format(ingestion):
        return
    known = columns_from_json(stored.fields)
    try:
        names = result_names(ingestion.transform, known, state.columns)
        needed = needed_columns(ingestion.table, ingestion.schema_rules)
        for name in needed if names else ():
            if name not in names:
                raise TransformError(f"its result has no {name}, which {needed[name]} names")
    except TransformError as error:
        raise TransformDeclarationError(
            f"The transform of {ingestion.name} does not go with the fields that its files have "
            f"had: {error}. Nothing was read. Mend `transform`. A field that no file had yet can "
            "be named once a file with it is in the table, by a transform that does without it."
        ) from error
    state.source = KnownSource(known)


def result_names(text: str, known: Columns, columns: Columns | None) -> frozenset[str]:
    """The columns that the transform makes of the known fields; none where only files tell.

    `columns` are the table's.

    Raises:
        TransformError: it does not go with them.
    """
    transform = transform_of(text)
    source = expected_source(known, transform.taken_as(columns or ()))
    made = transform.bind(Source(source)).fields(lambda: iter(()))
    return MadeColumns(made, columns or ()).names


def source_shape(ingestion: Ingestion, source: KnownSource) -> SourceShape | None:
    """The same for the ledger; None where there is nothing to know."""
    if ingestion.transform is None or source.columns is None:
        return None
    return SourceShape(_format(ingestion), columns_to_json(source.columns))


def _format(ingestion: Ingestion) -> dict[str, object]:
    return ingestion.format.model_dump(mode="json")
