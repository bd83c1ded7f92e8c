"""Slugs and time zones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.tenancy.settings import check_time_zone, slug_of

COLUMN = re.compile(r"^[a-z0-9][a-z0-9-]{1,62}$")


@given(st.text(max_size=200))
def test_every_name_suggests_a_slug_that_the_column_takes_and_that_is_its_own(name: str) -> None:
    slug = slug_of(name)
    assert COLUMN.match(slug)
    assert slug_of(slug) == slug


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia"])
def test_a_real_time_zone_is_taken(name: str) -> None:
    assert check_time_zone(name) == name


@pytest.mark.parametrize("name", ["", ".", "../etc/passwd", "/etc/passwd", "Mars/Base", "a\x00b"])
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        check_time_zone(name)
