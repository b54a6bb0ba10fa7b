"""What the first files are, and where that is not what is declared."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest_assets.declaration.source import Format
from ingest_assets.engine.preview.source_report import FormatSeen
from ingest_assets.engine.preview.trial import TriedFile
from ingest_assets.errors import IngestError
from ingest_assets.files.beginnings import Beginnings
from ingest_assets.files.reading.detection import Detected, detect
from ingest_assets.files.source_file import SourceFile


@dataclass(frozen=True)
class DetectedFiles:
    """What each file is, by its key; those that could not be fetched are missing."""

    by_key: Mapping[str, Detected]

    @property
    def most(self) -> Detected | None:
        """What most of them are; None where none is anything that can be read."""
        types = Counter(found.type for found in self.by_key.values() if found.type is not None)
        if not types:
            return None
        wanted = types.most_common(1)[0][0]
        return next(found for found in self.by_key.values() if found.type == wanted)

    def codec(self, key: str) -> str:
        """How the file is compressed, as a whole."""
        return self.by_key[key].codec if key in self.by_key else "unknown"


def detected_files(store: Beginnings, files: Sequence[SourceFile]) -> DetectedFiles:
    """The first bytes of each file looked at; errors are left to its reading."""
    found = {}
    for file in files:
        try:
            found[file.key] = detect(store.glance(file))
        except IngestError:
            continue
    return DetectedFiles(found)


def format_seen(
    detected: DetectedFiles, declared: Format | None, tried: Sequence[TriedFile]
) -> FormatSeen:
    """What the files are, beside what is declared (None: it was detected)."""
    most = detected.most
    codecs = tuple(sorted({found.codec for found in detected.by_key.values()}))
    said = next((file.observed.detected for file in tried if file.observed), {})
    return FormatSeen(
        None if most is None else most.type,
        None if declared is None else declared.type,
        codecs,
        _reason(detected, most),
        tuple(_contradictions(detected, declared)),
        tuple((name, str(value)) for name, value in said.items() if name != "format"),
    )


def _reason(detected: DetectedFiles, most: Detected | None) -> str:
    if most is not None:
        return most.reason
    reasons = [found.reason for found in detected.by_key.values()]
    return reasons[0] if reasons else "no file could be looked at"


def _contradictions(detected: DetectedFiles, declared: Format | None) -> list[str]:
    """Files that are not what is declared, or not what their names say, a sentence each."""
    wanted = declared.type if declared else (detected.most.type if detected.most else None)
    said = []
    for key, found in detected.by_key.items():
        if found.type is None:
            said.append(f"{key}: {found.reason}")
        elif found.type != wanted:
            word = "declared is" if declared else "most of the files are"
            said.append(f"{key} is {found.type} ({found.reason}), and {word} {wanted}")
        elif found.named is not None and found.named != found.type:
            said.append(f"{key} is {found.type} ({found.reason}), and is named as {found.named}")
    return said
