"""The price table: YAML that people edit, checked as strictly as a declaration."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from ingest_assets.declaration.declared import Declared, UniqueKeyLoader, sentences
from ingest_assets.errors import ConfigurationError

PRICES_FILE = "prices.yaml"
PRICES_VARIABLE = "INGEST_PRICES"
_SHIPPED = Path(__file__).parent / PRICES_FILE

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PricesFileError(ConfigurationError):
    """The price table does not hold, or is not there; no cost was worked out."""


class S3Prices(Declared):
    """Requests by the thousand, and a GB (2**30 bytes) for a month."""

    put_per_1000: Price
    list_per_1000: Price
    get_per_1000: Price
    storage_gb_month: Price


class SqsPrices(Declared):
    """Requests by the million."""

    per_million: Price


class ComputePrices(Declared):
    """An hour of one processor."""

    vcpu_hour: Price


class Prices(Declared):
    """Every price is required: a cost without one would be too low in silence."""

    currency: str = Field(min_length=1)
    s3: S3Prices
    sqs: SqsPrices
    compute: ComputePrices


def prices_path(defs: Path, env: Mapping[str, str] = os.environ) -> Path:
    """The table that counts: INGEST_PRICES, else beside the declarations, else the shipped one."""
    named = env.get(PRICES_VARIABLE)
    if named:
        return Path(named).expanduser()
    own = defs / PRICES_FILE
    return own if own.exists() else _SHIPPED


def load_prices(path: Path) -> Prices:
    """The prices of the file.

    Raises:
        PricesFileError: it cannot be read, or a price is missing or wrong; names file and field.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)
    except OSError as error:
        raise PricesFileError(
            f"{path}: cannot be read ({error.strerror}). Correct {PRICES_VARIABLE}, or unset it to "
            "use the prices that come with ingest_assets."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PricesFileError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise PricesFileError(f"{path}: should be a mapping as in {_SHIPPED}")
    try:
        return Prices.model_validate(content)
    except ValidationError as error:
        problems = [said.removeprefix(".") for said in sentences(error, Prices, "")]
        told = "\n".join(f"{path}: {problem}" for problem in problems)
        raise PricesFileError(f"{told}\nNo cost was worked out. See {_SHIPPED}.") from error
