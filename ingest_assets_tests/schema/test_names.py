"""What fields of files are called in the table."""

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ingest_assets.errors import ColumnNameError
from ingest_assets.schema.names import column_name, column_names
from ingest_assets.tables.lineage import LINEAGE_NAMES


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("OrderID", "order_id"),
        ("order id", "order_id"),
        ("HTTPStatus", "http_status"),
        ("orderId2Ship", "order_id2_ship"),
        ("ÉtatCivil", "etat_civil"),
        ("Straße", "strasse"),
        ("名前", "u540du524d"),
        ("2024 total", "n_2024_total"),
        ("_id", "source_id"),
        ("_file_id", "source_file_id"),
        ("__v", "source_v"),
        ("a.b-c/d", "a_b_c_d"),
        ("trailing_", "trailing"),
        ("", "unnamed"),
        ("%", "unnamed"),
    ],
)
def test_a_field_becomes_snake_case_by_the_rules(field: str, name: str) -> None:
    assert column_name(field) == name


@given(st.text())
def test_every_name_is_one_that_athena_takes_and_the_product_does_not_use(field: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", column_name(field))
    assert column_name(field) not in LINEAGE_NAMES


@given(st.text())
def test_a_column_name_keeps_its_name(field: str) -> None:
    assert column_name(column_name(field)) == column_name(field)


def test_two_fields_that_collide_are_both_named() -> None:
    with pytest.raises(ColumnNameError, match="'OrderID' and 'order id'"):
        column_names(["OrderID", "x", "order id"])
