"""What a browser complains of on the pages of a module: errors and warnings of the console, and uncaught exceptions."""

from playwright.sync_api import ConsoleMessage, Page

ABORT = ("htmx:afterRequest", "htmx:sendAbort")  # htmx logs both, in this order, where a page is left while it asks


class Complaints(list[str]):
    """Every complaint with its page's address."""

    def listen(self, page: Page) -> None:
        page.on("console", lambda message: self._note(page, message))
        page.on("pageerror", lambda error: self.append(f"{page.url}: {error}"))

    def _note(self, page: Page, message: ConsoleMessage) -> None:
        refused_on_purpose = "status of 400" in message.text and "/studies/new/" in page.url
        if message.type not in ("error", "warning") or refused_on_purpose:
            return
        if message.text.startswith(ABORT[1]) and self and f": {ABORT[0]}" in self[-1]:
            self.pop()
            return
        self.append(f"{page.url}: {message.text}")
