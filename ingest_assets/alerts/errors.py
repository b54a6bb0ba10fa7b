"""What can be wrong with alerts: how they are declared, or a channel that does not take them.

ConfigurationError (`ingest_assets.errors`)
└── AlertsFileError                 alerts.yaml that does not hold
ServiceError
└── ChannelError                    a channel is out of reach or refuses its work
    └── MessageRefusedError         it answers, and does not take this one message
"""

from datetime import timedelta

from ingest_assets.errors import ConfigurationError, ServiceError


class AlertsFileError(ConfigurationError):
    """alerts.yaml does not hold, or a channel is named that it lacks."""


class ChannelError(ServiceError):
    """An alert was not sent: its channel is out of reach, refuses it, or lacks its secret.

    The message never has an address or an answer of the channel in it, which may hold secrets.
    `wait` is how long the channel asked to be left alone.
    """

    def __init__(self, message: str, *, wait: timedelta = timedelta()) -> None:
        super().__init__(message)
        self.wait = wait


class MessageRefusedError(ChannelError):
    """The channel refuses what is in the message; others may come through."""
