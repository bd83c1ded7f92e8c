"""The price list of the story, and exact arithmetic on it.

Unit prices are whole picodollars per token, so sums are integers and nothing is ever rounded
but where the product's rule says so: once per request, half to even, to nanodollars.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

PRICE_FILE = Path(__file__).parent / "data" / "prices.json"
EFFECTIVE = datetime(2025, 1, 1, tzinfo=UTC)
"""From when the story's price list holds."""
PICO = Decimal(10) ** 12
KINDS = ("input", "cached", "cache_write_5m", "cache_write_1h", "output")
_FIELDS = {
    "input": "input_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "output": "output_cost_per_token",
}
UNLISTED: dict[str, dict[str, int]] = {
    "us.stellar.lumen-large-v1:0": {"input": 900_000, "output": 3_600_000}
}
"""What AWS bills for models that the price list does not name (picodollars per token)."""


def load() -> dict[str, dict[str, int]]:
    """Picodollars per token by model id and token kind."""
    listed = json.loads(PRICE_FILE.read_text(), parse_float=Decimal)
    return {
        model: {
            kind: int(Decimal(entry[field]) * PICO)
            for kind, field in _FIELDS.items()
            if field in entry
        }
        for model, entry in listed.items()
    }


def usd(pico: int) -> Decimal:
    """Picodollars as an exact amount."""
    return Decimal(pico) / PICO


def plain(amount: Decimal) -> str:
    """An exact amount without exponent and without trailing zeros."""
    return f"{amount.normalize():f}" if amount else "0"
