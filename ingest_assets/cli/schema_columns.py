"""`ingest-assets schema add-column`, `drop-column`, `rename-column`, `widen`."""

import click
import pyarrow as pa

from ingest_assets.cli.schema_act import act, by_option, note_option, parse_values, yes_option
from ingest_assets.deployment import Deployment
from ingest_assets.engine import column_changes
from ingest_assets.schema.types import parse_type

_table_option = click.option(
    "--table", help="One that a shape got for itself; by default the declared one."
)


class _Type(click.ParamType[pa.DataType]):
    name = "type"

    def convert(self, value: object, param: object, ctx: object) -> pa.DataType:
        try:
            return parse_type(str(value))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error


@click.command("add-column")
@click.argument("name")
@click.argument("column")
@click.argument("type_", metavar="TYPE", type=_Type())
@click.option("--description", help="What the column holds; kept in the table.")
@click.option("--default", help="What the rows that are there get: a text, or JSON.")
@click.option("--sql", help="The same as SQL over the row, as duckdb reads it.")
@_table_option
@note_option
@by_option
@yes_option
def add_column_command(
    name: str,
    column: str,
    type_: pa.DataType,
    description: str | None,
    default: str | None,
    sql: str | None,
    table: str | None,
    note: str | None,
    by: str,
    yes: bool,
) -> None:
    """Add COLUMN of TYPE (long, string, decimal(10,2), ...) to the table of the ingestion NAME."""
    deployment = Deployment.from_env()
    values = parse_values(
        [] if default is None else [f"{column}={default}"],
        [] if sql is None else [f"{column}={sql}"],
    )
    plan = column_changes.plan_add_column(
        deployment,
        deployment.ingestion(name),
        column,
        type_,
        description=description,
        value=values.get(column),
        table=table,
    )
    act(deployment, plan, note=note, by=by, yes=yes)


@click.command("drop-column")
@click.argument("name")
@click.argument("column")
@_table_option
@note_option
@by_option
@yes_option
def drop_column_command(
    name: str, column: str, table: str | None, note: str | None, by: str, yes: bool
) -> None:
    """Drop COLUMN from the table of the ingestion NAME; what files bring for it is rescued."""
    deployment = Deployment.from_env()
    plan = column_changes.plan_drop_column(deployment, deployment.ingestion(name), column, table)
    act(deployment, plan, note=note, by=by, yes=yes)


@click.command("rename-column")
@click.argument("name")
@click.argument("column")
@click.argument("new_name")
@_table_option
@note_option
@by_option
@yes_option
def rename_column_command(
    name: str, column: str, new_name: str, table: str | None, note: str | None, by: str, yes: bool
) -> None:
    """Call COLUMN of the ingestion NAME NEW_NAME, as its files spell it from now on."""
    deployment = Deployment.from_env()
    ingestion = deployment.ingestion(name)
    plan = column_changes.plan_rename_column(deployment, ingestion, column, new_name, table)
    act(deployment, plan, note=note, by=by, yes=yes)


@click.command("widen")
@click.argument("name")
@click.argument("column")
@click.argument("type_", metavar="TYPE", type=_Type())
@_table_option
@note_option
@by_option
@yes_option
def widen_command(
    name: str,
    column: str,
    type_: pa.DataType,
    table: str | None,
    note: str | None,
    by: str,
    yes: bool,
) -> None:
    """Make COLUMN of the ingestion NAME the wider TYPE, in place."""
    deployment = Deployment.from_env()
    plan = column_changes.plan_widen(deployment, deployment.ingestion(name), column, type_, table)
    act(deployment, plan, note=note, by=by, yes=yes)
