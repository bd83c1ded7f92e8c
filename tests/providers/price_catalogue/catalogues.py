"""The price maps the tests run over: a small sample, the shipped maps, and whole ones if near."""

from pathlib import Path

from tensorcost.providers.price_catalogue.builtin import builtin_maps
from tensorcost.providers.price_catalogue.litellm import PriceMap, read_price_map

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLE = REPOSITORY / "tests" / "data" / "prices" / "litellm_sample.json"
WHOLE = sorted((REPOSITORY.parent / "shared" / "data" / "prices").glob("litellm_model_prices_*"))


def catalogues() -> dict[str, PriceMap]:
    """Name to map."""
    found = {SAMPLE.stem: read_price_map(SAMPLE.read_bytes())}
    for shipped in builtin_maps():
        found[f"builtin_{shipped.effective_from:%Y-%m-%d}"] = shipped.models
    for path in WHOLE:
        found[path.name.removesuffix(".json.gz")] = read_price_map(path.read_bytes())
    return found
