"""A small shop's records: orders, their shipments, and what visitors did on its pages."""

import uuid
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

_FIRST_NAMES = ("Ada", "Bilal", "Chiara", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Inês", "Jörg")
_LAST_NAMES = ("Okafor", "Nguyen", "Rossi", "Schäfer", "Silva", "Tanaka", "Demir", "O'Brien")
_CITIES = (
    ("Berlin", "10115", "DE"),
    ("Lisboa", "1100-148", "PT"),
    ("Boston", "02108", "US"),
    ("Kyoto", "600-8216", "JP"),
    ("Lagos", "101233", "NG"),
    ("Łódź", "90-001", "PL"),
)
_STREETS = ("Market Street", "Rua Augusta", "Hauptstraße", "Station Road", "Elm Avenue")
_PRODUCTS = (
    ("MUG-001", "Stoneware mug", 12.5),
    ("TEA-014", "Oolong tea, 100 g", 18.9),
    ("POT-003", "Cast-iron teapot", 64.0),
    ("SPN-020", "Bamboo spoon, set of 3", 7.25),
    ("TIN-007", "Tea tin", 9.8),
)
_CARRIERS = (("dhl", "express"), ("dhl", "parcel"), ("ups", "ground"), ("fedex", "priority"))
_PAGES = ("/", "/tea", "/teapots", "/cart", "/checkout", "/about")
_DEVICES = (("iOS", "Safari"), ("Android", "Chrome"), ("Windows", "Firefox"), ("macOS", "Safari"))
_REFERRERS = (None, "https://news.example.com/tea", "https://search.example.org/")

DAY_ZERO = datetime(2026, 11, 19, tzinfo=UTC)


def moment(random: Random, file_number: int, files_a_day: int) -> datetime:
    """Some second of the part of the day that the file with this number stands for."""
    start = DAY_ZERO + timedelta(days=1) * (file_number - 1) / files_a_day
    seconds = random.randrange(int(86_400 / files_a_day))
    return (start + timedelta(seconds=seconds)).replace(microsecond=0)


def order(random: Random, order_id: int, ordered_at: datetime) -> dict[str, Any]:
    """One order: nested customer and address, a list of items, amounts in euros."""
    items = [_item(random) for _ in range(random.randint(1, 4))]
    customer_id = random.randint(1000, 1400)
    return {
        "order_id": order_id,
        "ordered_at": ordered_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": random.choice(("new", "paid", "paid", "shipped")),
        "customer_id": customer_id,
        "customer": _customer(random, customer_id),
        "items": items,
        "total_amount": round(sum(item["quantity"] * item["unit_price"] for item in items), 2),
        "currency": "EUR",
        "is_gift": random.random() < 0.1,
        "note": random.choice((None, None, None, "Please ring twice")),
    }


def shipment(random: Random, shipment_id: int, shipped_at: datetime) -> dict[str, str]:
    """One shipment as the text of its CSV fields; the tracking number begins with zeros."""
    carrier, service = random.choice(_CARRIERS)
    delivered_at = shipped_at + timedelta(hours=random.randint(18, 90))
    is_delivered = random.random() < 0.6
    return {
        "shipment_id": str(shipment_id),
        "order_id": str(50_000 + random.randrange(900)),
        "carrier": carrier,
        "service": service,
        "tracking_number": f"{random.randrange(10**7):010d}",
        "weight_kg": f"{random.uniform(0.2, 12):.2f}",
        "shipped_at": shipped_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "delivered_at": delivered_at.strftime("%Y-%m-%dT%H:%M:%SZ") if is_delivered else "",
        "destination": random.choice(_CITIES)[2],
    }


def event(random: Random, occurred_at: datetime) -> dict[str, Any]:
    """One page event, with the device it came from."""
    system, browser = random.choice(_DEVICES)
    return {
        "event_id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "user_id": random.randint(1000, 1400),
        "event_type": random.choice(("view", "view", "view", "click", "add_to_cart")),
        "occurred_at": occurred_at,
        "page": random.choice(_PAGES),
        "duration_ms": random.randrange(120, 60_000),
        "context": {
            "referrer": random.choice(_REFERRERS),
            "device": {"os": system, "browser": browser},
        },
    }


def _item(random: Random) -> dict[str, Any]:
    sku, name, unit_price = random.choice(_PRODUCTS)
    return {"sku": sku, "name": name, "quantity": random.randint(1, 5), "unit_price": unit_price}


def _customer(random: Random, customer_id: int) -> dict[str, Any]:
    first_name, last_name = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
    city, postal_code, country = random.choice(_CITIES)
    return {
        "name": f"{first_name} {last_name}",
        "email": f"customer{customer_id}@example.com",
        "address": {
            "street": f"{random.choice(_STREETS)} {random.randint(1, 180)}",
            "city": city,
            "postal_code": postal_code,
            "country": country,
        },
    }
