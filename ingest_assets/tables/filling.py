"""A column that has a value in the rows in which it was null."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.schema import Schema

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.schema.conversion import NO_MISFITS, Misfits, can_convert, convert
from ingest_assets.schema.fit import FITS, fitter
from ingest_assets.schema.text import text_parser
from ingest_assets.schema.types import format_type
from ingest_assets.tables.iceberg_types import arrow_file_schema, iceberg_form
from ingest_assets.tables.operations import Constant, Fill
from ingest_assets.tables.row_expression import RowExpression


@dataclass
class Filling:
    """Fills one column of rows of `schema`; `misfits` counts what did not fit the column."""

    fill: Fill
    schema: pa.Schema
    constant: pa.Scalar | None
    expression: RowExpression | None
    misfits: Misfits = NO_MISFITS

    def apply(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with the column filled.

        Raises:
            ReshapeRefusedError: the expression fails for some row.
        """
        index = self.schema.get_field_index(self.fill.column)
        column = rows.column(index)
        if not column.null_count:
            return rows
        missing = column.is_null()
        field = self.schema.field(index)
        if self.expression is None:
            values = pa.repeat(self.constant, rows.num_rows)
        else:
            found = self.expression.evaluate(rows)
            wanted = pc.if_else(missing, found, pa.scalar(None, found.type))
            values, misfits = convert(wanted.cast(iceberg_form(wanted.type)), field.type)
            self.misfits += misfits
        filled = pc.if_else(missing, values, column)
        arrays = [*rows.columns[:index], filled, *rows.columns[index + 1 :]]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def close(self) -> None:
        """What the expression holds is let go."""
        if self.expression is not None:
            self.expression.close()


def filling(fill: Fill, schema: Schema) -> Filling:
    """The fill, known to go with the rows of the schema; to be closed at the end.

    Raises:
        ReshapeRefusedError: the constant does not fit, or the expression does not go.
    """
    arrow = arrow_file_schema(schema)
    type_ = arrow.field(fill.column).type
    if isinstance(fill.value, Constant):
        return Filling(fill, arrow, _constant(fill.column, fill.value.value, type_), None)
    expression = RowExpression(fill.value.sql, arrow, fill.column)
    if not can_convert(iceberg_form(expression.type), type_):
        expression.close()
        raise ReshapeRefusedError(
            f"The expression for {fill.column} makes a {expression.type}, which no {type_} holds. "
            "Nothing was changed. Cast it in the expression.",
            fill.column,
        )
    return Filling(fill, arrow, None, expression)


def _constant(column: str, value: Any, type_: pa.DataType) -> pa.Scalar:
    fitted, left = fitter(type_)(value)
    if left is not FITS and type(value) is str:
        fitted = text_parser(type_)(value)
        left = FITS if fitted is not None else value
    if fitted is None or left is not FITS:
        raise ReshapeRefusedError(
            f"{value!r} is no value of {column}, which is {format_type(type_)}. Nothing was "
            "changed. Write one that is.",
            column,
        )
    return pa.scalar(fitted, type_)
