"""The job that previews an ingestion, for Dagster's launchpad."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine.preview.markdown import markdown_sections
from ingest_assets.engine.preview.page import page
from ingest_assets.engine.preview.preview import FILES, MOST_FILES, preview
from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.sections import headline, verdict
from ingest_assets.errors import IngestError
from ingest_assets.orchestration.names import INGESTION_TAG

PREVIEW_JOB = "preview"
PREVIEW_OP = "look"
KEPT_PAGES = 10
"""Of each ingestion, the newest ones."""
_ROWS = ("Sample rows", "Rejected rows", "Rescued values")


class PreviewConfig(dg.Config):
    """What is previewed."""

    ingestion: str = Field(description="The name of the ingestion.")
    files: int = Field(
        default=FILES, ge=1, le=MOST_FILES, description="So many files are read, the first ones."
    )


def build_preview_job(deployment: DeploymentSource = Deployment.from_env) -> dg.JobDefinition:
    """Says what would happen to the files of an ingestion, and writes nothing."""

    @dg.op(
        name=PREVIEW_OP,
        description=(
            "Lists the source, reads the first files and says in the log and in the metadata of "
            "the output what an ingestion would make of them. Fails when nothing can be ingested."
        ),
        out=dg.Out(dg.Nothing),
    )
    def look(context: dg.OpExecutionContext, config: PreviewConfig) -> None:
        context.instance.add_run_tags(context.run_id, {INGESTION_TAG: config.ingestion})
        refused: str | None = None
        metadata: dict[str, Any] = {}
        try:
            services = deployment()
            found = preview(services, services.ingestion(config.ingestion), files=config.files)
            metadata = _metadata(found, services, context.run_id)
            context.log.info("%s\n%s", headline(found), _text(found))
            refused = "\n".join(found.problems) or None
        except IngestError as error:
            refused = str(error)
        if refused is not None:  # outside of `except`, so that no traceback stands in the way
            raise dg.Failure(refused, metadata=metadata, allow_retries=False)
        context.add_output_metadata(metadata)

    @dg.job(
        name=PREVIEW_JOB,
        description=(
            "Says what would happen to the files of an ingestion: connection, files, schema, "
            "sample rows, rejects, checks, the table, cost. Nothing is ingested. "
            "`ingest-assets preview` does the same."
        ),
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},  # what stands in the way needs a person
    )
    def preview_files() -> None:
        look()

    return preview_files


def _kept_page(found: Preview, home: Path, run_id: str) -> Path:
    """The page is a file of this machine's, and older ones of the ingestion have left for it."""
    folder = home / "previews"
    place = folder / f"{found.name}-{run_id}.html"
    folder.mkdir(parents=True, exist_ok=True)
    place.write_text(page(found), encoding="utf-8")
    pages = []
    for path in folder.glob(f"{found.name}-*.html"):
        with suppress(FileNotFoundError):  # another run makes room, too
            pages.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(pages)[:-KEPT_PAGES]:
        path.unlink(missing_ok=True)
    return place


def _metadata(found: Preview, services: Deployment, run_id: str) -> dict[str, Any]:
    """The sections as markdown, and where the page is."""
    place = _kept_page(found, services.settings.home, run_id)
    told = {title: dg.MetadataValue.md(text) for title, text in markdown_sections(found).items()}
    return {
        "outcome": verdict(found)[0],
        "rows": found.row_count,
        "files": len(found.files),
        "page": dg.MetadataValue.path(str(place)),
        **told,
    }


def _text(found: Preview) -> str:
    """The report for the log, a section a heading; what files hold is in the metadata alone."""
    parts = {title: text for title, text in markdown_sections(found).items() if title not in _ROWS}
    return "\n\n".join(f"## {title}\n{text}" for title, text in parts.items())
