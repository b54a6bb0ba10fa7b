"""The program on a pseudo-terminal, as a person has it."""

import os
import pty
import re
import select
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ingest_assets.interrupts import STOP_SIGNALS
from ingest_assets_tests.end_to_end.product import PROGRAM

WHOLE_SECONDS = 240
ANSWER_SECONDS = 60
_AGAIN_SECONDS = 2
CTRL_C = "\x03"


def on_terminal(
    arguments: Sequence[str],
    dialogue: Sequence[tuple[str, str]] = (),
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[int, str]:
    """Exit code and output of the program, where each prompt has its answer.

    `dialogue`: what a prompt says, as a regular expression, and what is typed then; Enter follows,
    but not after Ctrl-C.
    """
    process, terminal = pty.fork()
    if process == 0:
        # A background job of a script ignores some, and its children would too.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.chdir(folder or ".")
        environment = {**os.environ, **(env or {})}
        os.execve(str(PROGRAM), [str(PROGRAM), *arguments], environment)
    ends_at = time.monotonic() + WHOLE_SECONDS
    said, seen = "", 0
    waiting = list(dialogue)
    ends_by_ctrl_c = bool(dialogue) and dialogue[-1][1] == CTRL_C
    while time.monotonic() < ends_at and _has_more(
        terminal, is_interrupted=ends_by_ctrl_c and not waiting
    ):
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so when the program has ended
            break
        if not part:
            break
        said += part.decode(errors="replace")
        if waiting and re.search(waiting[0][0], said[seen:]):
            seen = len(said)
            answer = waiting.pop(0)[1]
            os.write(terminal, answer.encode() if answer == CTRL_C else f"{answer}\n".encode())
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert not waiting, f"nobody asked {waiting[0][0]!r}: {said}"
    return code, said


def _has_more(terminal: int, *, is_interrupted: bool) -> bool:
    """The program says something, or has ended, in time.

    Ctrl-C is typed again where nothing comes of it, as people do: Python heeds one that comes in
    the moment between its prompt and its reading only when it has read (seen in CPython 3.11).
    """
    for _ in range(ANSWER_SECONDS // _AGAIN_SECONDS):
        if select.select([terminal], [], [], _AGAIN_SECONDS)[0]:
            return True
        if is_interrupted:
            os.write(terminal, CTRL_C.encode())
    return False
