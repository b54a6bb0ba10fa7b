"""Why what a person decided about a schema was not done; nothing was changed.

ConfigurationError (`ingest_assets.errors`)
├── UnknownVersionError             a schema version that the ingestion does not have
├── DecisionOutdatedError           somebody decided first, or the schema is another by now
└── DecisionRefusedError            it cannot be carried out; the message says what can
    └── ReshapeRefusedError         the table cannot be changed so
        └── ValuesDoNotConvertError values in the table that the new type cannot hold
"""

from ingest_assets.errors import ConfigurationError


class UnknownVersionError(ConfigurationError):
    """The ingestion has no schema version of the number that was asked for."""


class DecisionOutdatedError(ConfigurationError):
    """The schema or the state of a version is not what a decision was made on; nothing changed."""


class DecisionRefusedError(ConfigurationError):
    """What was decided about a schema cannot be done; the message says why and what can be."""


class ReshapeRefusedError(DecisionRefusedError):
    """A change of the table's schema that cannot be made; the table is unchanged.

    `column` is the path of the column with dots.
    """

    def __init__(self, message: str, column: str) -> None:
        self.column = column
        super().__init__(message)


class ValuesDoNotConvertError(ReshapeRefusedError):
    """`count` values of the column do not fit its new type, `example` among them."""

    def __init__(self, message: str, column: str, count: int, example: str) -> None:
        self.count = count
        self.example = example
        super().__init__(message, column)
