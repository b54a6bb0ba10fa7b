"""One question after the other: asked on a terminal, or answered by options and defaults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click


@dataclass(frozen=True)
class Dialogue:
    """`given`: what options answer, by field. `asks`: a person is there; else defaults are taken.

    `options`: the option that answers a field.
    """

    given: Mapping[str, Any]
    options: Mapping[str, str]
    asks: bool

    def without(self, *fields: str) -> "Dialogue":
        """The same, and these fields are asked for whatever options said."""
        given = {field: said for field, said in self.given.items() if field not in fields}
        return replace(self, given=given)

    def ask(
        self,
        field: str,
        question: str,
        default: str | None,
        parse: Callable[[str], Any] = str,
        *,
        known: tuple[str, ...] = (),
    ) -> Any:
        """What `parse` makes of the answer; a person is asked until it makes something.

        Without a default a person has to say something.

        Raises:
            click.UsageError: nobody is asked, and the option's value does not hold, or there is
                neither an option nor a default.
        """
        if field in self.given or not self.asks:
            said = self.given.get(field, default)
            if said is None:
                raise click.UsageError(f"{field} has no default. Give {self.options[field]}.")
            try:
                return parse(said) if isinstance(said, str) else said
            except ValueError as error:
                raise click.UsageError(f"{self.options.get(field, field)}: {error}") from error
        hint = f" ({' | '.join(known)})" if known else ""
        while True:
            answer = click.prompt(
                f"{question}{hint}", default=default, show_default=default not in ("", None)
            )
            try:
                return parse(answer)
            except ValueError as error:
                click.echo(f"  {error}")

    def confirm(self, field: str, question: str, *, default: bool) -> bool:
        """What the person says, or the option; else the default."""
        if field in self.given:
            return bool(self.given[field])
        return click.confirm(question, default=default) if self.asks else default
