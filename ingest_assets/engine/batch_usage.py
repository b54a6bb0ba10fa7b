"""What a batch has used when it is done: counted by this process since its claim."""

from dataclasses import replace

from ingest_assets.cost.meter import METER
from ingest_assets.cost.usage import Usage
from ingest_assets.engine.staging import StagedBatch


def usage_so_far() -> Usage:
    """What this process has counted, for `used_since`."""
    return METER.now


def used_since(begun: Usage, staged: StagedBatch) -> Usage:
    """Requests and bytes since `begun`, the data files of the batch, and processor time.

    Processor time is that since the batch before it in this process, or since the process began:
    what it takes to start a run belongs to the run.
    """
    prepared = (staged.main, staged.rejected)
    written = sum(f.file_size_in_bytes for p in prepared if p is not None for f in p.data_files)
    used = METER.now - begun
    return replace(used, written_bytes=written, cpu_seconds=METER.take_cpu_seconds())
