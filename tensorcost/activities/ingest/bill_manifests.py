"""Manifests of Cost and Usage Reports on disk: which files make up an export's billing month."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from tensorcost.activities.ingest.bill_places import Place, newest_run, place_of
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur_manifest import (
    DataFile,
    Manifest,
    ManifestError,
    parse_manifest,
)

_ENDING: Final = "-manifest.json"
_LEVELS: Final = 5
"""A manifest lies at most this deep in the folder that its keys begin in."""


@dataclass(frozen=True, slots=True)
class LocalManifest:
    """A manifest as it lies on disk, and the files that it names."""

    path: Path
    period: date | None
    """First day of the billing month; None where neither it nor a folder names one."""
    paths: tuple[Path, ...] = ()
    promised: frozenset[str] = frozenset()
    """As ``Manifest.promised``."""
    rejects: tuple[Reject, ...] = ()
    """Why what it names is no bill; of a sound delivery none."""


def find_manifests(top: Path) -> dict[Place, LocalManifest]:
    """The manifest of each month that ``top``, an absolute folder, holds files or manifests of.

    Where each refresh has a folder of its own, the month's own manifest stands above them and
    names the newest; without one, the newest run's is the month's.
    """
    by_place: dict[Place, list[Path]] = defaultdict(list)
    for path in _candidates(top):
        by_place[place_of(path)].append(path)
    return {place: _chosen(place, paths) for place, paths in by_place.items()}


def _candidates(top: Path) -> Iterator[Path]:
    yield from _manifests(top)
    inside = [folder for folder in (top, *top.parents) if folder.name == "data"]
    if inside:
        beside = inside[0].parent / "metadata" / top.relative_to(inside[0])
        yield from _manifests(beside)


def _manifests(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(_ENDING) and path.is_file():
            yield path


def _chosen(place: Place, paths: Sequence[Path]) -> LocalManifest:
    """Of several beside one another that say different things none is the month's."""
    depth = min(len(path.parts) for path in paths)
    own = [path for path in paths if len(path.parts) == depth]
    runs = {path.parent.name: path for path in own}
    newest = newest_run(runs) if len(runs) == len(own) > 1 else None
    if newest is not None:
        return _read(place, runs[newest])
    if len({path.read_bytes() for path in own}) == 1:
        return _read(place, own[0])
    names = ", ".join(path.relative_to(place.root).as_posix() for path in own[:5])
    return _refused(place, own[0], f"several manifests of one month: {names}")


def _read(place: Place, path: Path) -> LocalManifest:
    try:
        read = parse_manifest(path.read_bytes(), path.as_posix())
    except ManifestError as error:
        return _refused(place, path, str(error))
    return _resolved(path, read)


def _refused(place: Place, path: Path, why: str) -> LocalManifest:
    reject = Reject(path.name, 0, RejectReason.BAD_MANIFEST, why)
    return LocalManifest(path, place.period, rejects=(reject,))


def _resolved(path: Path, read: Manifest) -> LocalManifest:
    found = [(file, _local(path, file)) for file in read.files]
    return LocalManifest(
        path,
        read.period,
        tuple(local for _, local in found if local is not None),
        read.promised,
        tuple(
            Reject(path.name, 0, RejectReason.BROKEN_DELIVERY, f"{file.key} is not there")
            for file, local in found
            if local is None
        ),
    )


def _local(manifest: Path, file: DataFile) -> Path | None:
    """Where the file lies. A copy of the bucket may begin at any folder of its keys: as much of
    the key as is there counts."""
    parts = Path(file.key).parts
    if ".." in parts:
        return None
    for start in range(len(parts)):
        for folder in list(manifest.parents)[:_LEVELS]:
            if (path := folder.joinpath(*parts[start:])).is_file():
                return path
    return None
