"""Which files of a folder are one bill together: the parts of an export's billing month.

The layouts are those of AWS (``<export>/data/BILLING_PERIOD=2026-10/…`` with manifests in
``metadata``, legacy reports, FOCUS exports) and of Azure (``<export>/20261001-20261031/…``). What
would add up to more than one bill, or to a part of one, is asked about and never guessed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from tensorcost.activities.ingest.bill_manifests import LocalManifest, find_manifests
from tensorcost.activities.ingest.bill_places import Place, newest_run, place_of
from tensorcost.activities.ingest.leftovers import is_never_data
from tensorcost.domain.errors import ValidationFailed

_NO_DATA: Final = frozenset({".json", ".sql", ".yml", ".yaml"})
"""What exporters write beside the data: manifests and table definitions."""
_NUMBERED: Final = re.compile(r"(.+)-\d{5}\..+")
"""AWS names parts ``<export>-00001.csv.gz``."""
_NAMELESS: Final = "bill"


@dataclass(frozen=True, slots=True)
class BillParts:
    """Files that are one bill together, in the order in which their lines are numbered."""

    export_name: str
    name: str
    """What the bill came as: the file, the folder or the manifest."""
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    """How the files are called where a row is refused."""
    period: date | None = None
    """First day of the billing month, where a folder or a manifest names it."""
    manifest: LocalManifest | None = None
    is_alone: bool = False
    """Asked for as one file rather than found in a folder."""


def find_bills(path: Path, export_name: str = "", *, has_manifests: bool = True) -> list[BillParts]:
    """The bills that ``path``, a file or a folder, holds, the oldest month first.

    ``export_name`` defaults to the file's name, or the name of the folder that holds an export.
    Raises ValidationFailed for a folder without data, or one whose files could be added up
    wrongly.
    """
    if path.is_file():
        name = export_name or path.name
        return [BillParts(name, path.name, (path,), (path.name,), is_alone=True)]
    top = path.resolve()
    manifests = find_manifests(top) if has_manifests else {}
    found = [_of_manifest(place, one) for place, one in manifests.items()]
    by_place: dict[Place, list[Path]] = defaultdict(list)
    for file in sorted(top.rglob("*")):
        if _is_data(file.relative_to(top)) and file.is_file():
            by_place[place_of(file)].append(file)
    for place, files in by_place.items():
        if place not in manifests:
            found.append(_of_folder(place, files))
    if not found:
        raise ValidationFailed(f"{path} holds no file to import", field="path")
    _refuse_mixture(found, export_name)
    return sorted((_named(one, export_name) for one in found), key=_order)


@dataclass(frozen=True, slots=True)
class _Found:
    place: Place
    paths: tuple[Path, ...]
    manifest: LocalManifest | None = None


def _of_manifest(place: Place, manifest: LocalManifest) -> _Found:
    return _Found(place, manifest.paths, manifest)


def _of_folder(place: Place, files: Sequence[Path]) -> _Found:
    """Without a manifest all files of the month's newest run are its parts."""
    by_run: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        by_run[file.parent.relative_to(place.folder).as_posix()].append(file)
    run = next(iter(by_run)) if len(by_run) == 1 else newest_run(by_run)
    if run is None:
        raise ValidationFailed(
            f"{place.folder.name} holds several runs of one month and no manifest: import the "
            f"folder of the newest one ({_listed(by_run)})",
            field="path",
        )
    parts = by_run[run]
    numbered = {match[1] for part in parts if (match := _NUMBERED.fullmatch(part.name))}
    if len(numbered) > 1:
        raise ValidationFailed(
            f"{place.folder.name} holds parts of several exports ({_listed(numbered)}), which "
            "may say the same twice: give each its own folder",
            field="path",
        )
    return _Found(place, tuple(parts))


def _refuse_mixture(found: Sequence[_Found], export_name: str) -> None:
    """Files beside the folders of months belong to an unknown one of these; two exports under
    one name would replace each other."""
    monthly = {one.place.root for one in found if one.place.period is not None}
    for one in found:
        if one.place.period is None and one.place.root in monthly:
            files = one.paths if one.manifest is None else (one.manifest.path,)
            raise ValidationFailed(
                f"{_listed(path.name for path in files)} lies beside folders of billing "
                "months: move it into its month's folder, or out of this one",
                field="path",
            )
    names: dict[str, Path] = {}
    for root in sorted({one.place.root for one in found}):
        name = export_name or root.name
        other = names.setdefault(name, root)
        if other != root:
            raise ValidationFailed(
                f"{other} and {root} would both be the export {name}, and one would replace the "
                "other: import one folder at a time, each with an --export of its own",
                field="export",
            )


def _named(found: _Found, export_name: str) -> BillParts:
    root = found.place.root
    manifest = found.manifest
    return BillParts(
        export_name=export_name or root.name or _NAMELESS,
        name=found.place.folder.name if manifest is None else manifest.path.name,
        paths=found.paths,
        labels=tuple(_label(path, root) for path in found.paths),
        period=found.place.period if manifest is None else manifest.period,
        manifest=manifest,
    )


def _label(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _order(bill: BillParts) -> tuple[str, date]:
    return bill.export_name, bill.period or date.min


def _is_data(inside: Path) -> bool:
    if is_never_data(inside):
        return False
    return inside.suffix.lower() not in _NO_DATA and "metadata" not in inside.parts[:-1]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:5])
