"""Why a table was not maintained; nothing of it was changed.

IngestError (`ingest_assets.errors`)
└── ConfigurationError
    └── MaintenanceRefusedError     the table is of a kind, or in a state, that is left alone
"""

from ingest_assets.errors import ConfigurationError


class MaintenanceRefusedError(ConfigurationError):
    """The table cannot be maintained here; the message says why and what can be done."""
