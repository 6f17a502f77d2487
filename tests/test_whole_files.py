import io
import os
import stat

import pytest

from explainkit.whole_files import whole_file

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions or links")


def write(path, data=b"new"):
    with whole_file(path) as file:
        file.write(data)


def test_a_file_is_there_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as file:
        file.write(b"heat")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"heat"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_stays_as_it_was_when_something_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def fail():
        with whole_file(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_what_is_linked_to_is_written_and_the_link_stays(tmp_path):
    (tmp_path / "far").mkdir()
    link, file = tmp_path / "link.txt", tmp_path / "far" / "file.txt"
    link.symlink_to(file)
    for data in (b"first", b"second"):  # the file is not there at first
        write(link, data)
        assert link.is_symlink()
        assert file.read_bytes() == data
        assert list((tmp_path / "far").iterdir()) == [file]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_file_that_was_there_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "secret.txt"
    path.write_bytes(b"old")
    path.chmod(mode)
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        [part] = set(tmp_path.iterdir()) - {path}
        assert stat.S_IMODE(part.stat().st_mode) == mode  # from the first byte on
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_an_error_names_the_path_that_was_given(tmp_path, monkeypatch):
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(OSError, match="folder.txt") as caught:
        write(tmp_path / "folder.txt")
    assert caught.value.filename == str(tmp_path / "folder.txt")
    assert ".part" not in str(caught.value)

    def refused(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match=r"No space left on device: .*full\.txt") as caught:
        write(tmp_path / "full.txt")
    assert caught.value.filename == str(tmp_path / "full.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.txt"]


@posix
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_told_by_the_path(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as caught:
        write(tmp_path / "a.txt")
    tmp_path.chmod(0o700)
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_errors_of_others_are_passed_on_as_they_are(tmp_path):
    other = FileNotFoundError(2, "No such file", "picture.png")
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "a.txt"):
        raise other
    assert caught.value is other


def test_all_is_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    path, synced, fsync = tmp_path / "a.txt", [], os.fsync

    def watched(number):
        synced.append((os.fstat(number).st_size, path.exists()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    write(path, b"12345")
    path.unlink()
    with whole_file(path) as file, io.TextIOWrapper(file, "utf-8") as text:  # which closes it
        text.write("1234567")
    assert synced == [(5, False), (7, False)]
