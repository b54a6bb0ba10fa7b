"""The price table is read strictly: a cost with a price missing would be too low in silence."""

from pathlib import Path

import pytest

from ingest_assets.cost.prices import (
    Prices,
    PricesFileError,
    load_prices,
    prices_path,
)
from ingest_assets.cost.usage import GIBIBYTE, Usage, priced

WHOLE = """
currency: EUR
s3: {put_per_1000: 0.005, list_per_1000: 0.005, get_per_1000: 0.0004, storage_gb_month: 0.02}
sqs: {per_million: 0.4}
compute: {vcpu_hour: 0.04}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return path


def test_the_shipped_table_holds_and_ones_own_takes_its_place(tmp_path: Path) -> None:
    shipped = prices_path(tmp_path, {})
    assert load_prices(shipped).currency == "USD"
    own = written(tmp_path, WHOLE)
    assert prices_path(tmp_path, {}) == own
    assert load_prices(own).s3.storage_gb_month == 0.02
    assert prices_path(tmp_path, {"INGEST_PRICES": "/etc/prices.yaml"}) == Path("/etc/prices.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE.replace("get_per_1000: 0.0004, ", ""), "s3.get_per_1000: is required and missing"),
        (WHOLE.replace("compute", "computer"), "compute: is required and missing"),
        (WHOLE.replace("0.4}", "-1}"), "sqs.per_million: input should be greater than or equal"),
        (WHOLE.replace("0.4}", "free}"), "sqs.per_million: input should be a valid number"),
        (WHOLE + "azure: {}\n", "azure: is not a field here"),
        ("[1, 2]", "should be a mapping"),
        ("{", "is not YAML"),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_its_file_and_field(
    tmp_path: Path, text: str, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PricesFileError) as caught:
        load_prices(path)
    assert f"{path}: {said}" in str(caught.value)


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PricesFileError, match=r"cannot be read .* Correct INGEST_PRICES"):
        load_prices(tmp_path / "none.yaml")


def test_each_thing_has_its_price(tmp_path: Path) -> None:
    used = Usage(
        list_requests=2000,
        get_requests=500_000,
        table_get_requests=500_000,
        table_put_requests=1000,
        queue_requests=500_000,
        written_bytes=3 * GIBIBYTE,
        cpu_seconds=7200,
    )
    prices: Prices = load_prices(written(tmp_path, WHOLE))
    amounts = {line.name: round(line.amount, 9) for line in priced(used, prices)}
    assert amounts == {
        "listing": 0.01,
        "reading": 0.4,
        "writing": 0.005,
        "queue": 0.2,
        "compute": 0.08,
        "storage": 0.06,
    }
