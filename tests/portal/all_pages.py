"""Every page of the portal that belongs to no message's content, as a browser gets it, by what it says."""

from dataclasses import dataclass

from tests.portal.at_portal import Portal
from tests.portal.caller import Answer, form_field


@dataclass
class Pages:
    """What there is of a message while it is opened, locked, closed, disowned and erased."""

    there: Portal

    async def all(self) -> dict[str, Answer]:
        there, link = self.there, self.there.link()
        reading, browser = await there.open(2), there.browser()
        proof = (await reading.get(".")).field("proof")
        pages = {
            "landing": await browser.get(link),
            "landing after a code": await browser.get(f"{link}?code=sent"),
            "landing of another": await browser.get(there.link(5)),
            "form of another": await browser.form(f"{link}/open", {}),
            "nothing typed": await there.try_secret(browser, ""),
            "not for me": await browser.get(f"{link}/not-for-me"),
            "sender": await browser.get(there.sender_link),
            "sender, not sure": await browser.form(there.sender_link, await self._sender("erase")),
            "sender, nothing": await browser.form(there.sender_link, await self._sender("restore")),
            "sender, forged": await browser.form(there.sender_link, {}),
            "unknown": await browser.get("/m/unknown"),
            "ended": await browser.get("."),
            "no form": await browser.raw(f"{link}/open", b"", Content_Type="text/plain"),
            "read": await reading.get("."),
            "reply": await reading.get("reply"),
            "reply of another form": await reading.post("reply", []),
            "replied": await reading.get("reply/sent"),
            "reply that is too long": await reading.post("reply", self._reply(proof, "1" * 300_000)),
            "left": await reading.form("leave", {"proof": proof}),
            "reply after the end": await reading.post("reply", self._reply(proof, "1")),
            "cut reply after the end": await reading.post("reply", self._reply(proof, "1" * 300_000)),
            "files after the end": await reading.post("reply", self._reply(proof, "")),
        }
        for left in range(4, -1, -1):
            pages[f"wrong, {left} left"] = await there.try_secret(browser, "00000000", number=5)
        pages["locked"] = await browser.get(there.link(5))
        await there.store.revoke(there.package, 5, there.clock.now(), "")
        pages["sender, closed"] = await browser.get(there.sender_link)
        form = (await browser.get(f"{link}/not-for-me")).field("proof")
        pages["disowned"] = await browser.form(f"{link}/not-for-me", {"proof": form})
        pages["sender, not for them"] = await browser.get(there.sender_link)
        await there.store.erase(there.package, there.clock.now(), "")
        pages["sender, erased"] = await browser.get(there.sender_link)
        for _ in range(121):
            pages["too often"] = await browser.get("/m/unknown")
        return pages

    def _reply(self, proof: str, text: str) -> list[bytes]:
        return [form_field("proof", proof), form_field("text", text)]

    async def _sender(self, action: str) -> dict[str, str]:
        page = await self.there.browser("192.0.2.4").get(self.there.sender_link)
        return {"proof": page.field("proof"), "action": action}
