"""GGUF files are told from others, and whole ones from those that were cut, before a server is started."""

from pathlib import Path

import pytest
from tiny.weights import gguf

from solvers.local_models.gguf import check_gguf


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


@pytest.mark.parametrize("options", [{}, {"version": 2}, {"alignment": 64}, {"weights": 4096}])
def test_a_whole_file_passes_and_one_byte_less_does_not(path, options):
    content = gguf(**options)
    path.write_bytes(content)
    check_gguf(path)
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match=f"it has {len(content) - 1} bytes, its weights need {len(content)}; fetch"):
        check_gguf(path)


@pytest.mark.parametrize("content", [b"", b"GGM", b"<html>not found</html>", b"version https://git-lfs.github.com"])
def test_another_file_is_one_sentence(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.gguf is no GGUF file: it does not begin with GGUF$"):
        check_gguf(path)


@pytest.mark.parametrize("length", [4, 8, 20, 60, 150, 230])
def test_a_header_that_is_cut_is_one_sentence(path, length):
    path.write_bytes(gguf()[:length])
    with pytest.raises(ValueError, match=r"model\.gguf is cut short: its header does not end; fetch it anew$"):
        check_gguf(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ((4, b"\x01\0\0\0"), "its version is 1, and this reads 2 and 3"),
        ((4, b"\0\0\0\x03"), "its version is 50331648, and this reads 2 and 3"),  # the other byte order
        ((8, b"\0" * 8), "its header tells of 0 tensors and 5 entries"),
        ((16, b"\xff" * 8), "its header tells of 2 tensors and 18446744073709551615 entries"),
        ((52, b"\x63"), "a value of the unknown type 99"),
    ],
)
def test_a_header_that_says_nonsense_is_one_sentence(path, change, sentence):
    content = bytearray(gguf())
    place, bytes_ = change
    content[place : place + len(bytes_)] = bytes_
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"is no GGUF file that can be read: {sentence}$"):
        check_gguf(path)


def test_a_damaged_header_ends_in_a_sentence_whatever_byte_is_damaged(path):
    content = gguf()
    for place in range(4, 300, 3):
        for value in (0, 0x7F, 0xFF):
            path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            try:
                check_gguf(path)
            except ValueError as error:
                assert "model.gguf is " in str(error)  # noqa: PT017 - some changes do no harm
