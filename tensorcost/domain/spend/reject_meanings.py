"""What each reject reason means and what to do about it: shown beside the code, and documented."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tensorcost.domain.spend.limits import MAX_TOKENS_PER_REQUEST, RejectReason

_ALL: Final = "every format, pushed events"
_CALLS: Final = "events, bedrock-logs, pushed events"
_BILLS: Final = "aws-cur, focus, azure-export"


class RejectMeaning(NamedTuple):
    meaning: str
    """A clause that can follow the code."""
    seen_in: str
    """Formats, as ``import --format`` names them, and other ways in."""
    remedy: str


MEANINGS: Final[Mapping[str, RejectMeaning]] = {
    RejectReason.NOT_GZIP: RejectMeaning(
        "the file is neither gzip nor text of its format",
        "bedrock-logs, aws-cur",
        "Look at what was delivered: often it is an error page or another kind of file.",
    ),
    RejectReason.TRUNCATED_GZIP: RejectMeaning(
        "the gzip ends too early or is damaged",
        "every compressed file",
        "Fetch the file again. Calls before the tear are kept; of a bill nothing is.",
    ),
    RejectReason.TRUNCATED_CSV: RejectMeaning(
        "the file ends within a row",
        f"events, {_BILLS}",
        "Fetch the file again. Calls before the tear are kept; of a bill nothing is.",
    ),
    RejectReason.NOT_JSON: RejectMeaning(
        "the line is not a JSON object",
        "events, bedrock-logs",
        "Correct the line; JSON is read as one object a line.",
    ),
    RejectReason.NOT_PARQUET: RejectMeaning(
        "the file is not Parquet, or damaged",
        "aws-cur, focus",
        "Fetch the file again, and look whether its name says what it is.",
    ),
    RejectReason.UNKNOWN_SCHEMA_VERSION: RejectMeaning(
        "the record's schema is newer than this version knows",
        "bedrock-logs",
        "Update TensorCost, then import the file again.",
    ),
    RejectReason.MISSING_FIELD: RejectMeaning(
        "a field or column without which the row says nothing is missing",
        _ALL,
        "Add it, or name the column that holds it with --map or a value with --set (events).",
    ),
    RejectReason.WRONG_TYPE: RejectMeaning(
        "a value, or the row itself, is of another kind than its column",
        _ALL,
        "Correct the value that the detail names.",
    ),
    RejectReason.NEGATIVE_TOKENS: RejectMeaning(
        "a token count is below zero, or cached tokens exceed the whole",
        _CALLS,
        "Look whether input_tokens counts cached tokens: --cached included or beside (events).",
    ),
    RejectReason.ABSURD_TOKENS: RejectMeaning(
        f"a token count is beyond {MAX_TOKENS_PER_REQUEST:,} a request",
        f"{_CALLS}, metrics",
        "Look whether the column holds something else, such as a sum or an id.",
    ),
    RejectReason.BAD_ACCOUNT: RejectMeaning(
        "the account is not twelve digits",
        f"{_CALLS}, aws-cur",
        "Write AWS accounts as text; a spreadsheet drops leading zeros.",
    ),
    RejectReason.BAD_TIMESTAMP: RejectMeaning(
        "the time is in no form that is read without guessing",
        _ALL,
        "Write ISO 8601 or a number since 1970, or name the form: --time-format (events).",
    ),
    RejectReason.TOO_OLD: RejectMeaning(
        "the time is before 2015 or before what the connection reads",
        f"{_CALLS}, aws-cur",
        "Look at the unit of the time; usage that old is not kept.",
    ),
    RejectReason.IN_THE_FUTURE: RejectMeaning(
        "the time is more than a day ahead of now",
        f"{_CALLS}, aws-cur",
        "Look at the clock, the zone and the unit of the time.",
    ),
    RejectReason.BAD_AMOUNT: RejectMeaning(
        "an amount or quantity is no number, or out of range",
        f"events, pushed events, {_BILLS}",
        "Write plain decimals with a point, without a currency sign or separators.",
    ),
    RejectReason.ID_CONFLICT: RejectMeaning(
        "the id was accepted before with other content",
        _CALLS,
        "Keep ids unique within source, account and region; the first content stays.",
    ),
    RejectReason.LINE_TOO_LONG: RejectMeaning(
        "the line is longer than any record can be",
        "events, bedrock-logs",
        "Look whether line ends are missing.",
    ),
    RejectReason.BAD_MANIFEST: RejectMeaning(
        "the bill's manifest cannot be read, or is one of several for its month",
        "aws-cur, focus, connections",
        "Look at the export in AWS; the former bill stays until it is delivered whole.",
    ),
    RejectReason.BROKEN_DELIVERY: RejectMeaning(
        "a part of the bill is missing, or a file changed or could not be opened while it was read",
        "every format, connections",
        "Fetch it whole and import it again; the former bill stays until then.",
    ),
    RejectReason.NO_ROWS: RejectMeaning(
        "the file holds no row",
        "every format",
        "Look whether it was lost on its way; an empty bill never empties a month.",
    ),
}


def meaning_of(reason: str) -> str:
    """The clause of a code; empty for one that this version does not know."""
    known = MEANINGS.get(reason)
    return known.meaning if known else ""


def meanings_table() -> str:
    """The table of docs/bad-input.md."""
    rows = [
        f"| `{code}` | {one.meaning} | {one.seen_in} | {one.remedy} |"
        for code, one in MEANINGS.items()
    ]
    head = ["| Code | What it means | Where | What to do |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])
