"""Alerts as plain mail over SMTP."""

import logging
import smtplib
import ssl
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from ingest_assets.alerts.channels import Smtp, secret
from ingest_assets.alerts.errors import ChannelError
from ingest_assets.alerts.message import Message

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
"""For each answer; servers that keep spammers waiting take about 6 to greet."""


def send_mail(channel: Smtp, message: Message, delivery_id: str) -> None:
    """The server has taken the mail for at least one of its receivers.

    Raises:
        ChannelError: it has not; the error has its code and not its words.
    """
    mail = _mail(channel, message, delivery_id)
    login = None
    if channel.username_env is not None and channel.password_env is not None:
        login = secret(channel.username_env), secret(channel.password_env)
    try:
        with closing(smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_SECONDS)) as server:
            if channel.starttls:
                server.starttls(context=ssl.create_default_context())
            if login is not None:
                server.login(*login)
            refused = server.send_message(mail, channel.sender, channel.to)
            with suppress(smtplib.SMTPException, OSError):  # it has the mail by now
                server.quit()
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({str(code) for code, _ in error.recipients.values()})
        raise ChannelError(f"it refused all receivers with {', '.join(codes)}") from None
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelError(f"it refused the login with {error.smtp_code}") from None
    except smtplib.SMTPResponseException as error:
        raise ChannelError(f"it answered with {error.smtp_code}") from None
    except smtplib.SMTPNotSupportedError:
        needed = "STARTTLS, the login, or addresses beyond ASCII"
        raise ChannelError(f"it lacks what the channel needs of it: {needed}") from None
    if refused:
        logger.warning("%s of %s receivers of an alert were refused", len(refused), len(channel.to))


def _mail(channel: Smtp, message: Message, delivery_id: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = f"[ingest_assets] {message.title}"
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.to)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{delivery_id}@{channel.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text())
    return mail
