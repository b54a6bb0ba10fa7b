"""What every peer is asked to do, and the catalog that those without one of their own write to."""

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog

NAMESPACE = "raw"
TABLE = f"{NAMESPACE}.bench"
_SUFFIXES = {"json": "jsonl", "csv": "csv", "parquet": "parquet"}


@dataclass(frozen=True)
class Job:
    """The objects of one format below a prefix, and the folder that the table goes to."""

    bucket: str
    prefix: str
    format: Literal["json", "csv", "parquet"]
    folder: Path

    @classmethod
    def of_command_line(cls) -> "Job":
        bucket, prefix, file_format, folder = sys.argv[1:]
        return cls(bucket, prefix, file_format, Path(folder))  # type: ignore[arg-type]

    @property
    def glob(self) -> str:
        return f"*.{_SUFFIXES[self.format]}"

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}{self.glob}"

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    @cached_property
    def catalog(self) -> "SqlCatalog":
        """On SQLite, with the namespace of the table."""
        from pyiceberg.catalog.sql import SqlCatalog

        self.warehouse.mkdir(parents=True)
        catalog = SqlCatalog(
            "bench",
            uri=f"sqlite:///{self.folder / 'catalog.db'}",
            warehouse=f"file://{self.warehouse}",
        )
        catalog.create_namespace(NAMESPACE)
        return catalog


def s3_options() -> dict[str, str]:
    """Where S3 is, under the names of Rust's `object_store`."""
    return {
        "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "aws_region": os.environ["AWS_REGION"],
        "aws_allow_http": "true",
    }
