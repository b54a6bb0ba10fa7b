"""`ingest-assets`: the command line; each command is a module, loaded when it is used."""

import importlib
import logging
import os
import sys

import click

from ingest_assets import logs
from ingest_assets.errors import ConfigurationError, IngestError

logger = logging.getLogger(__name__)

EXIT_OUT_OF_REACH = 1
EXIT_CONFIGURATION = 2
EXIT_FILES_NEED_ATTENTION = 3
_ARROW_POOL = "ARROW_DEFAULT_MEMORY_POOL"
"""Read once, when pyarrow is imported. jemalloc gives back at once what Arrow frees; mimalloc, the
default, keeps 30 to 80 MB more in the same CPU.
"""
_COMMANDS = {
    "alerts": "Show what people were told of an ingestion, or try a channel.",
    "check": "Validate the declarations, without any service.",
    "config": "Show the resolved settings, without secrets.",
    "cost": "Show what ingestions cost: estimated, and really used.",
    "delete": "Retire an ingestion; its table and history stay, unless you say otherwise.",
    "demo": "Run everything on this machine, with files that keep arriving.",
    "dev": "Run the Dagster UI and daemon on your own ingestions.",
    "files": "Show where each file of an ingestion is, and why.",
    "maintain": "Compact tables, expire old snapshots, delete what nothing names.",
    "metrics": "Serve the ledger's metrics to Prometheus.",
    "preview": "Show what would happen to the files of a prefix; writes nothing.",
    "new": "Ask what an ingestion needs, and write its declaration.",
    "pause": "Let an ingestion begin nothing until it is resumed.",
    "replay": "Have files read again: dead letters, failed ones, or any others.",
    "reconcile": "Compare ledger, tables, bucket and Dagster, and mend what can be mended.",
    "resume": "Let an ingestion that was paused or deleted go on.",
    "run": "Discover and ingest once, without a daemon.",
    "schema": "See the versions of an ingestion's schema, and decide about changes.",
    "status": "Show how all ingestions are, at a glance.",
    "setup-notifications": "Make a bucket tell an ingestion's queue of its files.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command = importlib.import_module(f"ingest_assets.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ingest_assets")
def cli() -> None:
    """Files that land in S3 become rows in Apache Iceberg tables, exactly once.

    Exit codes: 0 all is well; 1 a service is out of reach; 2 a bad argument or configuration,
    or a change that is refused; 3 a file failed, was dead-lettered, or waits for a decision,
    or ledger, table and bucket disagree.
    """


def main() -> None:
    """The program: deliberate errors are their message and an exit code, never a traceback."""
    if sys.platform == "linux":  # where pyarrow has it built in
        os.environ.setdefault(_ARROW_POOL, "jemalloc")
    try:
        logs.configure()
        cli()
    except IngestError as error:
        said = f"{type(error).__name__}: {error}"
        if logs.are_json():
            logger.error(said)
        else:
            click.echo(said, err=True)
        is_refused = isinstance(error, ConfigurationError)
        sys.exit(EXIT_CONFIGURATION if is_refused else EXIT_OUT_OF_REACH)


if __name__ == "__main__":
    main()
