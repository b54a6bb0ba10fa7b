"""The account that the embedded Postgres runs under: ours, or, as Postgres refuses to be root, one
of its own that exists and can reach its programs and its data.
"""

import contextlib
import logging
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

_logger = logging.getLogger(__name__)

_ACCOUNT_FOR_ROOT = "pgserver"


def server_account() -> str | None:
    """The name of the account to switch to, or None to stay what we are."""
    return _ACCOUNT_FOR_ROOT if os.geteuid() == 0 else None


def ensure_account_can_reach(folder: Path, programs: Path) -> None:
    """The server's account exists, can enter `folder`, and can run what lies in `programs`.

    Parent folders are opened for passage only, not for listing, and only where they were closed.

    Raises:
        CalledProcessError: the account could not be made; its `stderr` says why.
    """
    account = server_account()
    if account is None:
        return
    try:
        pwd.getpwnam(account)
    except KeyError:
        _create(account)
    for place in (folder, programs):
        for parent in (place, *place.parents):
            _add_mode(parent, stat.S_IXOTH)
    if not (programs / "postgres").stat().st_mode & stat.S_IXOTH:
        _open_programs(programs.parent)


def make_private_folder(folder: Path) -> None:
    """The folder exists, belongs to the server's account, and nobody else can enter it.

    Raises:
        PermissionError: it belongs to somebody else already.
    """
    account = server_account()
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    owner = pwd.getpwnam(account).pw_uid if account else os.geteuid()
    found = folder.lstat()
    if account is not None and found.st_uid == 0 and stat.S_ISDIR(found.st_mode):
        shutil.chown(folder, account, account)
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise PermissionError(f"{folder} belongs to somebody else; remove it")
    folder.chmod(0o700)


def _create(account: str) -> None:
    subprocess.run(
        ["useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", account],
        capture_output=True,
        text=True,
        check=True,
    )


def _open_programs(installation: Path) -> None:
    """A strict umask at installation time left the files readable for root only."""
    for path in (installation, *installation.rglob("*")):
        if not path.is_symlink():
            is_program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            _add_mode(path, stat.S_IROTH | (stat.S_IXOTH if is_program else 0))


def _add_mode(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        _logger.info("Opening %s for the account that Postgres runs under", path)
        path.chmod(mode | bits)
