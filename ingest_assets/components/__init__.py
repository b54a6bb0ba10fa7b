"""Component types that a `defs.yaml` can name."""

from ingest_assets.components.s3_to_iceberg import S3ToIceberg

__all__ = ["S3ToIceberg"]
