"""A folder of results is whole or not there."""

from pathlib import Path

import pytest

from tests.training.conftest import little_room
from training.errors import ResultsTaken
from training.results import require_free, write_results


def test_files_are_written_into_a_new_folder(tmp_path: Path) -> None:
    write_results(tmp_path / "some" / "report", {"a.json": b"{}", "one/b.png": b"png"})
    assert (tmp_path / "some/report/a.json").read_bytes() == b"{}"
    assert (tmp_path / "some/report/one/b.png").read_bytes() == b"png"
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["report"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    write_results(tmp_path / "report", {"a": b"a"})
    assert (tmp_path / "report/a").read_bytes() == b"a"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_is_overwritten(kind: str, tmp_path: Path) -> None:
    taken = tmp_path / "report"
    if kind == "file":
        taken.write_text("mine")
    else:
        taken.mkdir()
        (taken / "mine").write_text("mine")
    with pytest.raises(ResultsTaken, match="is not an empty folder"):
        require_free(taken)
    with pytest.raises(ResultsTaken, match="is not an empty folder"):
        write_results(taken, {"a": b"a"})
    assert (taken if kind == "file" else taken / "mine").read_text() == "mine"


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with little_room(1000), pytest.raises(OSError, match="report"):
        write_results(tmp_path / "report", {"small": b"a", "large": bytes(5000)})
    assert list(tmp_path.iterdir()) == []
