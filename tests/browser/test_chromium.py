"""Without the browser these tests fail, and say what to do; they are never skipped."""

from pathlib import Path

import pytest

from tests.support.browser import chromium


def test_a_missing_chromium_fails_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="make browser"):
        chromium()
