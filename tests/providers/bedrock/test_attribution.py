import pytest

from tensorcost.providers.bedrock.attribution import (
    OVER_LIMIT,
    AttributionRules,
    DistinctLimiter,
    Label,
    LabelReader,
    Labels,
    clean_text,
    user_of_identity,
)
from tests.providers.bedrock.samples import parse, record


def read(pairs: list[tuple[str, str | None]], **rules: object) -> Labels:
    return LabelReader(AttributionRules(**rules)).read(pairs)  # type: ignore[arg-type]


def test_keys_are_matched_without_regard_to_case_and_dashes() -> None:
    found = read([("App", "bot"), ("TEAM-NAME", "care"), ("Env", "prod"), ("user-id", "u1")])
    assert found.values[Label.APPLICATION] == "bot"
    assert found.values[Label.TEAM] == "care"
    assert found.values[Label.ENVIRONMENT] == "prod"
    assert found.values[Label.USER] == "u1"


def test_the_first_key_of_a_meaning_wins_and_an_empty_one_does_not_count() -> None:
    found = read([("app", ""), ("application", "one"), ("app_name", "two")])
    assert found.values[Label.APPLICATION] == "one"


def test_only_allow_listed_keys_become_tags() -> None:
    found = read([("z", "1"), ("cost_centre", "77"), ("a", "2")], free_tags=frozenset({"z", "a"}))
    assert found.tags == (("a", "2"), ("z", "1"))


def test_labels_are_printable_and_short() -> None:
    assert clean_text(" a\x00b\u202ec\nd ") == "a b c d"
    assert len(clean_text("x" * 1_000)) == 256


@pytest.mark.parametrize(
    ("arn", "user"),
    [
        ("arn:aws:sts::111122223333:assumed-role/Bot/ana@example.test", "ana@example.test"),
        ("arn:aws:sts::111122223333:assumed-role/Bot/nightly", "nightly"),
        ("arn:aws:iam::111122223333:user/eng/ana", "ana"),
        ("arn:aws:sts::111122223333:federated-user/ana", "ana"),
        ("arn:aws:iam::111122223333:root", ""),
        ("arn:aws:sts::111122223333:assumed-role/Bot/i-0aa11bb22cc33dd44", ""),
        ("arn:aws:sts::111122223333:assumed-role/Bot/eks-cluster-bot-1234", ""),
        ("arn:aws:sts::111122223333:assumed-role/Bot/" + "ab12" * 8, ""),
        ("arn:aws:sts::111122223333:assumed-role/Bot/botocore-session-1793693742", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_a_person_is_named_by_the_identity_only_where_it_names_one(arn: str, user: str) -> None:
    assert user_of_identity(arn) == user


def test_the_metadata_names_the_user_before_the_identity_does() -> None:
    batch = parse(record(requestMetadata={"user": "kim"}), record(requestMetadata={}))
    assert [batch.actors[index].user for index in batch.actor] == ["kim", "ana@example.test"]


def test_values_beyond_the_cap_are_counted_under_one_name() -> None:
    limiter = DistinctLimiter(2)
    assert [limiter.admit("team", value) for value in "abcab"] == ["a", "b", OVER_LIMIT, "a", "b"]


def test_a_flood_of_values_cannot_grow_the_dimensions_without_bound() -> None:
    flood = [record(requestId=f"r{n}", requestMetadata={"app": f"a{n}"}) for n in range(50)]
    batch = parse(*flood, attribution=AttributionRules(max_distinct=5))
    names = {dimension.application for dimension in batch.dimensions}
    assert names == {"a0", "a1", "a2", "a3", "a4", OVER_LIMIT}
    assert len(batch) == 50
