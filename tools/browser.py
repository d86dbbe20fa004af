"""Headless Chromium, and a server for built pages: shared by the site's tests and `make pdf`."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The browser reaches 127.0.0.1 and nothing else.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

# Printing makes every picture of a page load its numbers; this waits until all have.
WAKE = """async () => {
    window.dispatchEvent(new Event("beforeprint"));
    while (document.querySelector(".course-explorable [aria-busy=true]"))
        await new Promise(resolve => setTimeout(resolve, 20));
}"""


def chromium() -> str | None:
    """Path of the browser: the variable CHROMIUM, else the first one on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """The address, without a final slash, at which the folder is served meanwhile."""
    handler = partial(_Quiet, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Leaves the terminal to the progress."""

    def copyfile(self, source, outputfile) -> None:
        """A page that is left before it has loaded is no error."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(source, outputfile)
