"""Why a table was not maintained.

IngestError (`ingest_assets.errors`)
├── ConfigurationError
│   └── MaintenanceRefusedError     the table is of a kind, or in a state, that is left alone
└── RetryableError
    └── MaintenanceIncompleteError  some of it could not be done; the rest was
"""

from ingest_assets.errors import ConfigurationError, RetryableError


class MaintenanceRefusedError(ConfigurationError):
    """The table cannot be maintained here; the message says why and what can be done."""


class MaintenanceIncompleteError(RetryableError):
    """Services or other writers were in the way of a part; the next maintenance does it."""
