"""A preview as sections, in the order in which a person asks."""

from collections.abc import Iterator

from ingest_assets.engine.preview import file_sections, table_sections
from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.section import Block, Code, Said, Section, Tone, counted

_DONE = {"append": "written", "merge": "merged", "overwrite": "written over what is there"}


def sections(found: Preview) -> list[Section]:
    """What there is to say; a section with nothing in it is left out."""
    parts: list[tuple[str, Iterator[Block]]] = [
        ("In short", _in_short(found)),
        ("Connection", file_sections.connection(found)),
        ("Files found", file_sections.files_found(found)),
        ("Format", file_sections.file_format(found)),
        ("Files read", file_sections.files_read(found)),
        ("Schema", table_sections.schema(found)),
        ("Where the files differ", table_sections.differences(found)),
        ("Sample rows", table_sections.sample(found)),
        ("Rejected rows", file_sections.rejected(found)),
        ("Rescued values", file_sections.rescued(found)),
        ("Checks", table_sections.checks(found)),
        ("Table", table_sections.table(found)),
        ("Suggestions", table_sections.suggestions(found)),
        ("Cost of a month", table_sections.cost(found)),
        ("Limits of this preview", _notes(found)),
        ("Declaration", _declaration(found)),
    ]
    made = [Section(title, tuple(blocks)) for title, blocks in parts]
    return [section for section in made if section.blocks]


def headline(found: Preview) -> str:
    """The preview in a line."""
    target = found.table.identifier if found.table else "no table"
    return f"Preview of {found.name}: {found.uri} -> {target}"


def verdict(found: Preview) -> tuple[str, Tone]:
    """What would come of it, in a sentence."""
    if found.problems:
        return "Nothing can be ingested as it stands.", "bad"
    bad = [f for f in found.files if f.outcome not in ("SUCCESS", "UNREAD")]
    good = sum(f.outcome == "SUCCESS" for f in found.files)
    rows = counted(found.row_count, "row")
    mode = found.table.write_mode if found.table else "append"
    said = f"{rows} of {counted(good, 'file')} would be {_DONE[mode]}"
    if bad:
        return f"{said}; {counted(len(bad), 'file')} would not.", "warn"
    return f"{said}, and no file would be refused.", "good"


def _in_short(found: Preview) -> Iterator[Block]:
    text, tone = verdict(found)
    yield Said(text, tone)
    for problem in found.problems:
        yield Said(problem, "bad")
    yield Said(f"Nothing was written. It took {found.seconds:.1f} s.", "dim")


def _notes(found: Preview) -> Iterator[Block]:
    for note in found.notes:
        yield Said(note)
    for service in found.services:
        if not service.was_asked:
            yield Said(f"The {service.name} was not asked: {service.said.rstrip('.')}.", "dim")


def _declaration(found: Preview) -> Iterator[Block]:
    if not found.is_declared:
        yield Said("As a defs.yaml would say it:", "dim")
        yield Code(found.declaration.rstrip())
