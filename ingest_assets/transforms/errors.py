"""What goes wrong with `transform`: for one file, or for all of them."""

from ingest_assets.errors import ConfigurationError, FileContentError


class TransformError(FileContentError):
    """The transform cannot be computed for one file; nothing of this file is in the table."""


class TransformDeclarationError(ConfigurationError):
    """`transform` cannot be what it says, for no file; `problem` is that in one line."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)
