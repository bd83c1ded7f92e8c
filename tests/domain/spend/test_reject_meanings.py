"""Every reject code is explained, and docs/bad-input.md says the same."""

from pathlib import Path

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.reject_meanings import MEANINGS, meaning_of, meanings_table

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "bad-input.md"


def codes() -> set[str]:
    return {value for name, value in vars(RejectReason).items() if name.isupper()}


def test_every_code_has_a_meaning_and_none_is_explained_that_is_not() -> None:
    assert set(MEANINGS) == codes()
    assert meaning_of("bad_timestamp") == "the time is in no form that is read without guessing"
    assert meaning_of("of_a_later_version") == ""


def test_the_document_has_a_row_for_every_code() -> None:
    document = DOCUMENT.read_text()
    assert meanings_table() in document, "write the table of meanings_table() into the document"
    assert all(f"| `{code}` |" in document for code in codes())
