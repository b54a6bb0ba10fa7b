"""What a job does that shows its plan first, and carries it out when it is asked to."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import dagster as dg

from ingest_assets.errors import IngestError

P = TypeVar("P")


def plan_then_act(
    context: dg.OpExecutionContext,
    plan: Callable[[], P],
    *,
    lines: Callable[[P], Iterable[str]],
    metadata: Callable[[P], Mapping[str, Any]],
    act: Callable[[P], str] | None,
) -> None:
    """The plan is in the log and in the output's metadata, with what `act` says that it has done.

    Nothing is done without `act`.

    Raises:
        dg.Failure: the plan was refused, or could not be carried out; with the reason.
    """
    refused: str | None = None
    shown: Mapping[str, Any] = {}
    said = "Nothing was changed. To do it, launch this again with plan_only: false."
    try:
        made = plan()
        shown = metadata(made)
        context.log.info("The plan:\n%s", "\n".join(lines(made)))
        if act is not None:
            said = act(made)
    except IngestError as error:
        refused = str(error)
    if refused is not None:  # outside of `except`, so that no traceback stands in the way
        raise dg.Failure(refused, metadata=shown, allow_retries=False)
    context.log.info(said)
    context.add_output_metadata({"outcome": said, **shown})
