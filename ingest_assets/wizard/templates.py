"""Templates: what the wizard proposes for common cases, before it has seen any file."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Template:
    """`answers`: the defaults of questions, by the field that they are about."""

    name: str
    meaning: str
    answers: Mapping[str, Any]


def _template(name: str, meaning: str, **answers: Any) -> Template:
    fields = {field.replace("__", "."): value for field, value in answers.items()}
    return Template(name, meaning, MappingProxyType(fields))


TEMPLATES: Mapping[str, Template] = {
    template.name: template
    for template in (
        _template(
            "json-dumps",
            "dumps that a vendor sends as JSON: fields come and go",
            source__pattern="**/*.{json,jsonl,ndjson}*",
            format__type="json",
            schema__on_new_column="merge",
            schema__on_missing_column="allow",
            schema__on_type_change="review",
        ),
        _template(
            "cloudtrail",
            "AWS CloudTrail logs: gzip JSON, the events in an array Records",
            source__uri="s3://{bucket}/AWSLogs/",
            source__pattern="**/CloudTrail/**/*.json.gz",
            source__on_changed_file="replace",
            format__type="json",
            format__options={"record_path": "Records"},
            schema__on_new_column="merge",
            schema__on_missing_column="allow",
            schema__on_type_change="rescue",
            table__identifier="raw.cloudtrail",
            table__partition_by=["day(event_time)"],
        ),
        _template(
            "csv-daily",
            "a CSV export once a day: read by the clock, its columns are an agreement",
            source__pattern="**/*.{csv,tsv}*",
            format__type="csv",
            schema__on_new_column="review",
            schema__on_missing_column="review",
            schema__on_type_change="review",
            trigger="cron",
            schedule__cron="0 2 * * *",
        ),
        _template(
            "parquet-drop",
            "Parquet files that a job drops: typed already, new columns are added",
            source__pattern="**/*.parquet",
            format__type="parquet",
            schema__on_new_column="merge",
            schema__on_missing_column="allow",
            schema__on_type_change="review",
        ),
    )
}
"""By their names."""
