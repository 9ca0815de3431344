from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import anyio
import pytest

from services.errors import TooManyBytes
from services.uploads import Uploads


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def test_an_upload_lies_under_a_name_of_ours_while_the_block_runs(tmp_path: Path) -> None:
    async def check() -> None:
        async with Uploads(tmp_path, max_bytes=10).keep(stream([b"ab", b"", b"cd"])) as path:
            assert path.parent == tmp_path
            assert path.read_bytes() == b"abcd"
        assert list(tmp_path.iterdir()) == []

    anyio.run(check)


def test_it_is_deleted_when_the_block_raises(tmp_path: Path) -> None:
    async def check() -> None:
        with pytest.raises(ZeroDivisionError):
            async with Uploads(tmp_path, max_bytes=10).keep(stream([b"ab"])):
                raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == []

    anyio.run(check)


def test_it_is_deleted_when_the_sender_breaks_off(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"ab"
        raise ConnectionResetError

    async def check() -> None:
        with pytest.raises(ConnectionResetError):
            async with Uploads(tmp_path, max_bytes=10).keep(broken()):
                pytest.fail("the block must not run")
        assert list(tmp_path.iterdir()) == []

    anyio.run(check)


def test_it_is_deleted_when_the_task_is_cancelled(tmp_path: Path) -> None:
    async def check() -> None:
        with anyio.move_on_after(0.05):
            async with Uploads(tmp_path, max_bytes=10).keep(stream([b"ab"])):
                await anyio.sleep(10)
        assert list(tmp_path.iterdir()) == []

    anyio.run(check)


@pytest.mark.parametrize("chunks", [[b"12345678901"], [b"12345", b"67890", b"1"]])
def test_bytes_are_counted_as_they_arrive(tmp_path: Path, chunks: list[bytes]) -> None:
    taken = []

    async def counted() -> AsyncIterator[bytes]:
        for chunk in [*chunks, b"never asked for"]:
            taken.append(chunk)
            yield chunk

    async def check() -> None:
        with pytest.raises(TooManyBytes):
            async with Uploads(tmp_path, max_bytes=10).keep(counted()):
                pytest.fail("the block must not run")

    anyio.run(check)
    assert taken == chunks
    assert list(tmp_path.iterdir()) == []


def test_exactly_the_limit_is_accepted(tmp_path: Path) -> None:
    async def check() -> None:
        async with Uploads(tmp_path, max_bytes=10).keep(stream([b"1234567890"])) as path:
            assert path.stat().st_size == 10

    anyio.run(check)


def test_a_sweep_removes_what_a_killed_process_left_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "0123.upload").write_bytes(b"left")
    (folder / ".gitkeep").touch()
    Uploads(folder, max_bytes=10).sweep()
    assert [path.name for path in folder.iterdir()] == [".gitkeep"]
