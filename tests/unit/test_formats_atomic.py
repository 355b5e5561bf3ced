import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinalis.errors import OutputError, UnreadableFileError
from spinalis.formats.atomic import link_new, write_new


def test_a_new_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    write_new(tmp_path / "a" / "b" / "file", (b"one ", b"two"))
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"one two"
    assert [item.name for item in (tmp_path / "a" / "b").iterdir()] == ["file"]


@pytest.mark.parametrize("chunks", [(b"one two",), (b"one", b" two"), (b"", b"one two")], ids=str)
def test_the_same_bytes_are_left_alone_however_they_are_cut(tmp_path: Path, chunks: tuple[bytes, ...]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one two")
    os.utime(path, (1, 1))
    write_new(path, chunks)
    assert path.stat().st_mtime == 1


@pytest.mark.parametrize("found", [b"", b"one", b"one two three", b"one twO"], ids=str)
def test_other_bytes_are_never_overwritten(tmp_path: Path, found: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(found)
    with pytest.raises(OutputError, match="expected a free name"):
        write_new(path, (b"one ", b"two"))
    assert path.read_bytes() == found


def test_a_dangling_link_is_no_free_name(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="expected a free name"):
        write_new(tmp_path / "file", (b"one",))
    assert not (tmp_path / "nowhere").exists()


def test_what_fails_while_it_is_read_leaves_nothing(tmp_path: Path) -> None:
    def damaged() -> Iterator[bytes]:
        yield b"one"
        raise UnreadableFileError("File: expected bytes, got none.")

    with pytest.raises(UnreadableFileError):
        write_new(tmp_path / "file", damaged())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hard", [True, False], ids=["hard", "symbolic"])
def test_a_link_leads_to_the_file_and_is_made_once(tmp_path: Path, hard: bool) -> None:
    original, path = tmp_path / "original", tmp_path / "below" / "link"
    original.write_bytes(b"one")
    for _ in range(2):
        link_new(path, original, hard=hard)
        assert path.samefile(original)
        assert path.is_symlink() is not hard


def test_a_link_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"one")
    (tmp_path / "link").write_bytes(b"one")
    with pytest.raises(OutputError, match="expected a free name"):
        link_new(tmp_path / "link", tmp_path / "original", hard=True)


def test_a_link_that_the_system_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "original").write_bytes(b"one")
    with pytest.raises(OutputError, match=r"got Invalid cross-device link\. Copy, or choose a folder on the same disk"):
        link_new(tmp_path / "link", tmp_path / "original", hard=True)
