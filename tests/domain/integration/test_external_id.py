"""ExternalIds fit into a role name and come from enough randomness."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.integration.external_id import check_external_id, new_external_id
from tensorcost.domain.integration.onboarding import role_name

IAM_ROLE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")


@given(st.binary(min_size=16, max_size=64))
def test_a_new_id_is_valid_and_its_role_name_fits_iam(random: bytes) -> None:
    made = new_external_id(random)
    assert check_external_id(made) == made
    assert IAM_ROLE_NAME.fullmatch(role_name(made))


def test_equal_bytes_give_equal_ids_and_other_bytes_others() -> None:
    assert new_external_id(b"a" * 20) == new_external_id(b"a" * 20)
    assert new_external_id(b"a" * 20) != new_external_id(b"b" * 20)


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        new_external_id(b"short")


@pytest.mark.parametrize("value", ["", "x", "a" * 40, "with space", "slash/inside", "ümlaut"])
def test_an_id_that_iam_would_refuse_is_refused(value: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_external_id(value)
    assert refused.value.field == "external_id"


def test_the_longest_id_still_makes_a_role_name() -> None:
    assert len(role_name("a" * 39)) == 64
