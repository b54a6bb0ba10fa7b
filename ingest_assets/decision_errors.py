"""Why what a person decided, about a schema or files, was not done; nothing was changed.

ConfigurationError (`ingest_assets.errors`)
├── ReplayRefusedError              files chosen to be read again by nothing, or by no glob
├── UnknownVersionError             a schema version that the ingestion does not have
├── DecisionOutdatedError           somebody decided first, or the schema is another by now
└── DecisionRefusedError            it cannot be carried out; the message says what can
    └── ReshapeRefusedError         the table cannot be changed so
        └── ValuesDoNotConvertError values in the table that the new type cannot hold
"""

from ingest_assets.errors import ConfigurationError


class ReplayRefusedError(ConfigurationError):
    """Files that are to be read again cannot be chosen so; nothing was changed."""


class UnknownVersionError(ConfigurationError):
    """The ingestion has no schema version of the number that was asked for."""


class DecisionOutdatedError(ConfigurationError):
    """The schema or the state of a version is not what a decision was made on; nothing changed."""


class DecisionRefusedError(ConfigurationError):
    """What was decided about a schema cannot be done; the message says why and what can be."""


class ReshapeRefusedError(DecisionRefusedError):
    """A change of the table's schema that cannot be made; the table is unchanged.

    `column` is its path with dots; `count` says how many of its values do not convert.
    """

    def __init__(self, message: str, column: str, count: int = 0, example: str = "") -> None:
        self.column, self.count, self.example = column, count, example
        super().__init__(message)


class ValuesDoNotConvertError(ReshapeRefusedError):
    """Values of the column that its new type cannot hold, `example` among them."""
