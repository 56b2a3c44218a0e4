"""The portal's pages meet WCAG 2.2 AA as far as axe-core can tell, and fit a telephone."""

import asyncio
from pathlib import Path

import pytest

from gateway.core.sealing import Unlock
from tests.peers.chromium import examine
from tests.portal.all_pages import Pages
from tests.portal.at_portal import portal


@pytest.mark.peer("chromium")
@pytest.mark.parametrize("unlock", [Unlock.MAIL, Unlock.VERIFIED_MAIL, Unlock.PASSPHRASE])
async def test_every_page_can_be_used_by_everybody(tmp_path: Path, unlock: Unlock) -> None:
    async with portal(tmp_path, unlock) as there:
        pages = {name: page.text for name, page in (await Pages(there).all()).items()}
    found = await asyncio.to_thread(examine, pages)
    assert {name: findings for name, findings in found.items() if findings} == {}
