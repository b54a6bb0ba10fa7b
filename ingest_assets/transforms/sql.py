"""SQL as a transform: row by row where duckdb's plan is so, else over the whole file."""

from collections.abc import Sequence

from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.names import column_name
from ingest_assets.transforms.made import Bound, Source
from ingest_assets.transforms.row_wise import NotRowWise, RowWise, plain_name, star_without
from ingest_assets.transforms.statement import parse
from ingest_assets.transforms.whole_file import WholeFile


class SqlTransform:
    """The SELECT that the text is."""

    def __init__(self, sql: str) -> None:
        """Parsed.

        Raises:
            TransformDeclarationError: as `statement.parse`.
        """
        self.statement = parse(sql)

    @property
    def result_names(self) -> frozenset[str] | None:
        """The columns of the result, where the text alone tells."""
        return self.statement.result_names

    def taken_as(self, known: Columns) -> dict[str, Column]:
        """Those that a plain SELECT names, or takes by `*`, and makes nothing else of."""
        if not self.statement.is_plain:
            return {}
        by_name = {column.name: column for column in known}
        items = self.statement.node["select_list"]
        named: dict[str, Column] = {}
        made: set[str] = set()
        for item in items:
            source = plain_name(item, self.statement)
            if star_without(item, self.statement) is not None:
                continue
            target = column_name(item["alias"] or source or "")
            made.add(target)
            if source is not None and target in by_name:
                named.setdefault(source, by_name[target])
        for item in items:
            left_out = star_without(item, self.statement)
            if left_out is None:
                continue
            for name, column in by_name.items():
                if name not in left_out and name not in made:
                    named.setdefault(name, column)
        return named

    def bind(self, source: Source) -> Bound:
        """The SELECT for files with these columns."""
        if self.statement.is_plain:
            try:
                return RowWise(self.statement, source)
            except NotRowWise:
                pass
        return WholeFile(self.statement, source)

    def unused(self, names: Sequence[str]) -> list[str]:
        """None of the columns where `*` takes all of them; else those that are not named."""
        if self.statement.has_star:
            return []
        return sorted(name for name in names if name not in self.statement.names)
