"""What a command asks before it changes anything: on a terminal only, and never with --yes."""

import sys

import click


def is_agreed(question: str, *, aim: str, yes: bool) -> bool:
    """Somebody wants it done; if not, it was said that nothing was changed.

    `aim` is what --yes would be for, as in "do it".
    """
    return yes or (_can_ask(aim) and _says_yes(question))


def agreed_note(note: str | None, *, kept: str, yes: bool) -> str | None:
    """The reason, empty for none, if it is agreed to; None if it is not, and that was said.

    Who is asked and gave no reason is asked for one, and told where it is `kept`.
    """
    if yes:
        return note or ""
    if not _can_ask("do it"):
        return None
    reason: str = note or click.prompt(f"Why ({kept})", default="", show_default=False)
    return reason if _says_yes("Do it?") else None


def _can_ask(aim: str) -> bool:
    if sys.stdin.isatty():
        return True
    click.echo(f"Nothing was changed. To {aim}, add --yes.")
    return False


def _says_yes(question: str) -> bool:
    if click.confirm(question, default=False):
        return True
    click.echo("Nothing was changed.")
    return False
