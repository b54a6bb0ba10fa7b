"""The sections about the source and its files."""

from collections.abc import Iterator

from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.section import Block, Said, Tone, bytes_text, counted, grid
from ingest_assets.engine.preview.source_report import FileSeen

_TONES: dict[str, Tone] = {
    "SUCCESS": "plain",
    "PARKED": "warn",
    "ROUTED": "warn",
    "UNREAD": "dim",
}


def connection(found: Preview) -> Iterator[Block]:
    """How the store is reached, and that it answers."""
    seen = found.connection
    region = f", region {seen.region}" if seen.region else ""
    yield Said(f"{seen.name}: {seen.endpoint}{region}; keys from {seen.credentials}.")
    if seen.refusal is None:
        yield Said("It answers, and lists the prefix.", "good")
    else:
        yield Said("It does not work; the reason is above.", "bad")


def files_found(found: Preview) -> Iterator[Block]:
    """How many, how large, since when."""
    seen = found.found
    if seen is None:
        return
    at_least = "at least " if seen.is_cut else ""
    yield Said(
        f"{at_least}{counted(seen.count, 'file')} of {bytes_text(seen.size_bytes)} match "
        f"{found.pattern!r}."
    )
    if seen.is_cut:
        yield Said(
            f"The listing was cut after {counted(seen.listed, 'object')} and "
            f"{seen.seconds:.1f} s; there are more.",
            "warn",
        )
    elif seen.listed > seen.count:
        rest = seen.listed - seen.count
        yield Said(f"{counted(rest, 'other object')} under the prefix are left out.", "dim")
    if seen.oldest is not None and seen.newest is not None:
        sizes = f"{bytes_text(seen.smallest_bytes or 0)} to {bytes_text(seen.largest_bytes or 0)}"
        yield Said(
            f"From {seen.oldest:%Y-%m-%d %H:%M} to {seen.newest:%Y-%m-%d %H:%M} UTC; {sizes} each."
        )
    if found.ledger_states:
        states = ", ".join(f"{count:,} {state}" for state, count in found.ledger_states)
        yield Said(f"In the ledger: {states}.")


def file_format(found: Preview) -> Iterator[Block]:
    """What the files are, and what contradicts it."""
    seen = found.format
    if seen is None:
        return
    packed = ", ".join(codec for codec in seen.compression if codec != "none") or "not compressed"
    if seen.type is None:
        yield Said(f"No format was recognised: {seen.reason}.", "bad")
    elif seen.declared in (None, seen.type):
        how = "detected" if seen.declared is None else "as declared"
        yield Said(f"{seen.type}, {how}: {seen.reason}; {packed}.")
    else:
        yield Said(
            f"Declared is {seen.declared}, and the files are {seen.type}: {seen.reason}.", "bad"
        )
    told = [f"{name} {value!r}" for name, value in seen.detected if name != "compression"]
    if told:
        yield Said(f"Read with {', '.join(told)}.", "dim")
    for said in seen.contradictions[:10]:
        yield Said(f"{said.rstrip('.')}.", "warn")
    if len(seen.contradictions) > 10:
        yield Said(f"And {len(seen.contradictions) - 10} more such files.", "warn")


def files_read(found: Preview) -> Iterator[Block]:
    """Each file that was read, and why not."""
    if not found.files:
        return
    columns = ["file", "size", "outcome", "rows", "rescued", "rejected"]
    knows = any(file.known_as for file in found.files)
    filters = any(file.filtered is not None for file in found.files)
    rows = [_row(file, filters=filters, knows_ledger=knows) for file in found.files]
    more = [*(["filtered"] if filters else []), *(["in the ledger"] if knows else [])]
    yield grid(
        [*columns, *more],
        rows,
        [_TONES.get(file.outcome, "bad") for file in found.files],
        numbers=("size", "rows", "rescued", "rejected", "filtered"),
    )
    yield from _unused(found)
    for file in found.files:
        if file.error is not None:
            yield Said(f"{file.key}: {file.error}", _TONES.get(file.outcome, "bad"))


def _unused(found: Preview) -> Iterator[Block]:
    """Fields that the transform leaves out, which nobody may have meant."""
    unused = dict.fromkeys(name for file in found.files for name in file.unused_fields)
    if unused:
        yield Said(f"Fields that the transform has nothing of: {', '.join(unused)}.", "warn")


def _row(file: FileSeen, *, filters: bool, knows_ledger: bool) -> list[str]:
    size = bytes_text(file.size_bytes)
    if 0 < file.read_bytes < file.size_bytes:
        size = f"{bytes_text(file.read_bytes)} of {size}"
    numbers = [f"{n:,}" for n in (file.rows, file.rescued, file.rejected)]
    filtered = ["" if file.filtered is None else f"{file.filtered:,}"] if filters else []
    known = [file.known_as or "new"] if knows_ledger else []
    return [file.key, size, file.outcome, *numbers, *filtered, *known]


def rejected(found: Preview) -> Iterator[Block]:
    """The first rows that would go to the table of rejected rows."""
    if not found.rejected:
        return
    count = sum(file.rejected for file in found.files)
    if count:
        yield Said(f"{counted(count, 'row')} would go to the table of rejected rows. The first:")
    else:
        yield Said("Rows that are rejected in files that have too many of them. The first:")
    rows = [[row.key, f"{row.row:,}", row.reason, row.raw] for row in found.rejected]
    yield grid(["file", "row", "reason", "raw"], rows, numbers=("row",))


def rescued(found: Preview) -> Iterator[Block]:
    """The fields of which values would go to _rescued_data."""
    if not found.rescued:
        return
    yield Said("Values that do not fit their column would be kept in _rescued_data:")
    rows = [
        [one.field, f"{one.count:,}", one.example, f"{one.key}, row {one.row}"]
        for one in found.rescued
    ]
    yield grid(["field", "values", "the first", "where"], rows, numbers=("values",))
