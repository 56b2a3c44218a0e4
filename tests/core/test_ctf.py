"""Names of common transfer files, and names that are nearly one."""

import pytest

from gateway.core.ctf import is_ctf


@pytest.mark.parametrize(
    "name",
    [
        "8301234_CTF_8304567_001.xml",
        "830LLLL_CTF_8301234_123.XML",
        "8301234_ctf_830xxxx_999.Xml",
        "830MMMM_CTF_830L12M_001.xml",
    ],
)
def test_a_transfer_files_name_is_known_in_any_case(name: str) -> None:
    assert is_ctf(name)


@pytest.mark.parametrize(
    "name",
    [
        "830123_CTF_8304567_001.xml",
        "8301234_CTF_8304567_01.xml",
        "8301234_CTF_8304567_001.xml.txt",
        "8301234-CTF-8304567-001.xml",
        "8301234_CTF_8304567.xml",
        "LLL1234_CTF_8304567_001.xml",
        "830123A_CTF_8304567_001.xml",
        "8301234_CTF_8304567_001.pdf",
        "copy of 8301234_CTF_8304567_001.xml",
        "٨301234_CTF_8304567_001.xml",
        "",
    ],
)
def test_what_is_nearly_one_is_none(name: str) -> None:
    assert not is_ctf(name)
