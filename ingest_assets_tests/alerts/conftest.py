"""Receivers for the tests of this folder."""

from collections.abc import Iterator

import pytest

from ingest_assets_tests.alerts.receivers import HttpReceiver, SmtpReceiver, SnsReceiver


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    """A running web server."""
    with HttpReceiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[SmtpReceiver]:
    """A running mail server without a login."""
    with SmtpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def sns() -> Iterator[SnsReceiver]:
    """A running moto server."""
    with SnsReceiver() as receiver:
        yield receiver
