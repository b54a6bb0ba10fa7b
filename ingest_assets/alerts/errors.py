"""What can be wrong with alerts: how they are declared, or a channel that does not take them.

ConfigurationError (`ingest_assets.errors`)
└── AlertsFileError                 alerts.yaml that does not hold
ServiceError
└── ChannelError                    a channel is out of reach or refuses the message
"""

from ingest_assets.errors import ConfigurationError, ServiceError


class AlertsFileError(ConfigurationError):
    """alerts.yaml does not hold, or a channel is named that it lacks."""


class ChannelError(ServiceError):
    """An alert was not sent: its channel is out of reach, refuses it, or lacks its secret.

    The message never has an address or an answer of the channel in it, which may hold secrets.
    """
