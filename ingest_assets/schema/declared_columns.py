"""A changed declaration of the columns, judged against the table's columns as a file's would be."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.difference import (
    Change,
    ChangeKind,
    Difference,
    Verdict,
    difference,
)
from ingest_assets.schema.union import merge_types


@dataclass(frozen=True)
class DeclaredColumns:
    """What a declaration says of the columns: those it names, and those that files may lack."""

    columns: Columns = ()
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DeclaredChange:
    """What the declaration makes of the table's columns.

    `causes`: what the table cannot become, or must not without a person's word; none, and the
    declaration is applied. `wanted`: the columns as declared, also where the table cannot have
    them. `target`: the columns that the table gets if nothing stands against it.
    """

    difference: Difference
    wanted: Columns
    target: Columns
    causes: tuple[Change, ...] = ()


def declared_change(
    active: Columns | None, last: DeclaredColumns, declared: DeclaredColumns
) -> DeclaredChange:
    """The change from the table's columns (None: there are none yet) to the declared ones.

    `last` is the declaration that was applied last. Only what is declared otherwise since counts,
    so that what files or people brought since then stays.
    """
    if active is None:
        columns = declared.columns
        return DeclaredChange(difference(None, columns), columns, columns)
    wanted = tuple(_wanted(active, last, declared))
    found = difference(active, wanted)
    causes = tuple(change for change in found.changes if _is_refused(change))
    # To require a column changes nothing in the table, and who wrote it has decided.
    is_nothing = found.verdict is Verdict.IDENTICAL
    if not causes and not is_nothing:
        found = replace(found, verdict=Verdict.NON_BREAKING)
    return DeclaredChange(found, wanted, tuple(_target(active, wanted)), causes)


def _is_refused(change: Change) -> bool:
    if change.kind is ChangeKind.MISSING:
        return change.is_breaking
    return change.kind in (ChangeKind.NARROWED, ChangeKind.TYPE_CHANGED)


def _wanted(active: Columns, last: DeclaredColumns, declared: DeclaredColumns) -> Iterator[Column]:
    before = {column.name: column for column in last.columns}
    now = {column.name: column for column in declared.columns}
    newly_optional = declared.optional - last.optional
    for column in active:
        if column.name in newly_optional:
            column = replace(column, is_required=False)
        if column.name in now:
            yield _redeclared(column, before.get(column.name), now[column.name])
        elif column.name not in before or not column.is_required:
            yield column
    known = {column.name for column in active}
    yield from (column for name, column in now.items() if name not in known)


def _redeclared(column: Column, before: Column | None, now: Column) -> Column:
    """The column with what is declared of it otherwise than before."""
    if before is None or before.type != now.type:
        is_same = column.type == now.type
        column = replace(
            column,
            type=column.type if is_same else now.type,
            accepts_any=column.accepts_any and is_same,
        )
    if before is None or before.is_required != now.is_required:
        column = replace(column, is_required=now.is_required)
    if now.description is not None or (before is not None and before.description is not None):
        column = replace(column, description=now.description)
    return column


def _target(active: Columns, wanted: Columns) -> Iterator[Column]:
    """Columns and nested fields that are not declared any more stay where they are."""
    found = {column.name: column for column in wanted}
    for column in active:
        if column.name in found:
            declared = found.pop(column.name)
            yield replace(declared, type=merge_types(column.type, declared.type))
        else:
            yield column
    yield from found.values()
