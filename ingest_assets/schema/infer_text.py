"""The types of CSV columns, where every value is text, from whole arrays at a time.

The kinds and the types they make are those of `schema.kinds`. An empty text says nothing.
"""

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.column import nested_field
from ingest_assets.schema.infer import judged_field
from ingest_assets.schema.kinds import kind_of_text, scalar_type
from ingest_assets.schema.text_arrays import fit_text, fits_wholly
from ingest_assets.schema.types import TIMESTAMPTZ

_WHOLE: tuple[tuple[str, pa.DataType], ...] = (
    ("long", pa.int64()),
    ("double", pa.float64()),
    ("date", pa.date32()),
    ("timestamp", TIMESTAMPTZ),
    ("boolean", pa.bool_()),
)
_ZERO = "-0"
"""The one integer whose text no number of Arrow's gives back."""


def said(text: pa.Array) -> pa.Array:
    """The texts that are neither null nor empty."""
    return text.filter(pc.greater(pc.binary_length(text), 0))


class TextInference:
    """The texts seen in one column; `expected` is the table's field, if any."""

    def __init__(self, expected: pa.Field | None = None) -> None:
        self._expected = expected
        self._kinds: set[str] = set()
        self._count = 0
        self._misfits = 0

    def see(self, text: pa.Array) -> None:
        """The texts are counted."""
        text = said(text)
        if not len(text):
            return
        self._count += len(text)
        if "string" not in self._kinds:
            self._kinds |= _kinds(text)
        if self._expected is not None:
            misfits = fit_text(text, self._expected.type)[1]
            self._misfits += 0 if misfits is None else pc.sum(misfits).as_py()

    def result(self, name: str) -> pa.Field | None:
        """The field, judged as `schema.infer` does; None when nothing was said."""
        own = None
        if self._kinds:
            own = nested_field(name, scalar_type(frozenset(self._kinds)) or pa.string())
        return judged_field(self._expected, own, self._misfits, self._count)


def _kinds(text: pa.Array) -> set[str]:
    for kind, type_ in _WHOLE:
        if fits_wholly(text, type_):
            if kind == "double" and pc.index(text, _ZERO).as_py() >= 0:
                break
            return {kind}
    kinds = set()
    for item in text.unique().to_pylist():
        kinds.add(kind_of_text(item))
        if "string" in kinds:
            break
    return kinds
