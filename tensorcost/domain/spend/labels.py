"""Cost-allocation tags that name an application, team, environment or owner."""

from typing import Final, NamedTuple

ALIASES: Final[dict[str, str]] = {
    **dict.fromkeys(("application", "app", "application_name", "app_name"), "application"),
    **dict.fromkeys(("team", "team_name", "squad"), "team"),
    **dict.fromkeys(("environment", "env", "stage"), "environment"),
    **dict.fromkeys(("owner", "cost_owner"), "owner"),
}
"""Lower-case tag key, dashes as underscores, to its meaning."""
_PREFIXES: Final = ("resourcetags/", "iamprincipal/", "user_", "user:", "aws_", "aws:")


class CostLabels(NamedTuple):
    application: str = ""
    team: str = ""
    environment: str = ""
    owner: str = ""


def labels_of_tags(tags: tuple[tuple[str, str], ...]) -> CostLabels:
    """The four labels; the first key of a meaning wins. Provider prefixes are stripped."""
    found: dict[str, str] = {}
    for key, value in tags:
        meaning = ALIASES.get(_bare(key))
        if meaning is not None and value:
            found.setdefault(meaning, value)
    return CostLabels(**found)


def _bare(key: str) -> str:
    name = key.lower()
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name.replace("-", "_")
