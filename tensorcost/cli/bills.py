"""What ``import`` and ``reconcile`` say about bills that were refused or do not count."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tensorcost.cli.console import talk

_IMPORTED: Final = "import"
_SHOWN: Final = 12
_STYLE: Final = "yellow"


def show_bills(bills: Sequence[Mapping[str, Any]], command: str) -> None:
    """A line for each bill of an import that is not the month's bill now; ``command`` is the
    import as it would be asked for again."""
    for bill in bills:
        where = f"{bill['period'] or 'no month'}: the bill of export {bill['export']}"
        if bill["state"] == "refused":
            talk.print(f"{where} is refused; {_stays(bill)}", style=_STYLE, soft_wrap=True)
        elif bill["state"] == "superseded":
            talk.print(
                f"{where} was loaded before and replaced since: the bill of "
                f"{_time(bill['known_at'])} stays",
                style=_STYLE,
                soft_wrap=True,
            )
        elif bill["state"] == "not_counted":
            _show_uncounted(bill, command)


def show_uncounted(bills: Iterable[Mapping[str, Any]]) -> None:
    """A line for each loaded bill that another export of its payer speaks for."""
    found = list(bills)
    for bill in found[:_SHOWN]:
        _show_uncounted(bill, "import it")
    if len(found) > _SHOWN:
        talk.print(
            f"and {len(found) - _SHOWN} more: see them with --json", style=_STYLE, soft_wrap=True
        )


def _show_uncounted(bill: Mapping[str, Any], command: str) -> None:
    counted = bill.get("counted", [])
    text = f"{bill['period']}: the bill of export {bill['export']} does not count"
    if bill.get("payer"):
        text += f" for payer {bill['payer']}"
    if counted:
        text += ", because " + " and ".join(_named(one) for one in counted) + " counts"
    if bill.get("is_same"):
        talk.print(f"{text} and says the same")
        return
    talk.print(text, style=_STYLE, soft_wrap=True)
    if left_out := bill.get("left_out", []):
        more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        named = ", ".join(left_out[:_SHOWN])
        talk.print(f"  on no bill that counts: account {named}{more}", soft_wrap=True)
    ours = [one["export"] for one in counted if one["origin"] == _IMPORTED]
    if ours and bill.get("origin", _IMPORTED) == _IMPORTED:
        talk.print(f"  to replace that one: {command} --export {ours[0]}", soft_wrap=True)


def _named(one: Mapping[str, str]) -> str:
    if one["origin"] == _IMPORTED:
        return f"export {one['export']}"
    return f"export {one['export']} of connection {one['origin']}"


def _stays(bill: Mapping[str, Any]) -> str:
    if not bill["stays"]:
        return "there was none before it, so the month has no bill of this export"
    times = [f"the bill of {_time(one['known_at'])} ({one['period']})" for one in bill["stays"]]
    more = f" and {len(times) - _SHOWN} more" if len(times) > _SHOWN else ""
    return f"{', '.join(times[:_SHOWN])}{more} stays"


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"
