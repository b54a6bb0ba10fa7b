"""`ingest-assets schema`: the versions of an ingestion's schema, and decisions about them."""

import importlib

import click

_COMMANDS = {
    "list": "Show every version: what it changed, what became of it, and the files it waits for.",
    "show": "Show one version: its columns, differences, files, and what can be decided.",
    "diff": "Show the differences between two versions.",
    "resolve": "Decide about a pending version; shows the plan first.",
    "add-column": "Add a column, with values for the rows that are there if you like.",
    "drop-column": "Drop a column; what files bring for it is rescued.",
    "rename-column": "Give a column another name.",
    "widen": "Make a column wider in place: int to long, float to double, more digits.",
}
_MODULES = {
    "list": "schema_list",
    "show": "schema_show",
    "diff": "schema_show",
    "resolve": "schema_resolve",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(
            f"ingest_assets.cli.{_MODULES.get(cmd_name, 'schema_columns')}"
        )
        command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands)
def command() -> None:
    """See how the schema of an ingestion's table came to be, and decide how it goes on."""
