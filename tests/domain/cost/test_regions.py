import pytest

from tensorcost.domain.cost.regions import region_candidates


@pytest.mark.parametrize(
    ("region", "candidates"),
    [
        ("us-east-1", ("us-east-1", "us-*", "*")),
        ("us-gov-west-1", ("us-gov-west-1", "us-gov-*", "*")),
        ("ap-northeast-1", ("ap-northeast-1", "ap-*", "*")),
        ("europe-west4", ("europe-west4", "europe-*", "*")),
        ("eastus2", ("eastus2", "us-*", "*")),
        ("swedencentral", ("swedencentral", "eu-*", "*")),
        ("uksouth", ("uksouth", "*")),
        ("", ("*",)),
        ("*", ("*",)),
    ],
)
def test_regions_are_looked_in_from_narrow_to_wide(
    region: str, candidates: tuple[str, ...]
) -> None:
    assert region_candidates(region) == candidates
