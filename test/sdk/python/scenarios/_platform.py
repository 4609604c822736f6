"""Where the platform is, and how its parts are broken."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.request import Request, urlopen

URL = os.environ["DRYDOCK_URL"]
API_KEY = os.environ["DRYDOCK_API_KEY"]
CONTROLS = os.environ["DRYDOCK_CONTROLS"]

AT_ONE_TIME = 6
LONGEST_SECONDS = 60.0
SLEEP = 'import time\nprint("up", flush=True)\ntime.sleep(60)'

E = TypeVar("E", bound=BaseException)


def send(method: str, path: str) -> dict[str, Any]:
    """A request to the controls."""
    with urlopen(Request(CONTROLS + path, method=method), timeout=30) as response:
        body = response.read()
    answer: dict[str, Any] = json.loads(body) if body else {}
    return answer


class Raised(Generic[E]):
    error: E


@contextmanager
def raises(kind: type[E], match: str = "") -> Iterator[Raised[E]]:
    """The block ends with such an error."""
    raised: Raised[E] = Raised()
    try:
        yield raised
    except kind as error:
        assert re.search(match, str(error)), f"'{error}' does not match '{match}'"
        raised.error = error
        return
    raise AssertionError(f"no {kind.__name__}")


def write_profiles(home: str) -> None:
    """A `default` that leads nowhere, and `test`."""
    config = Path(home, ".config", "drydock", "config.toml")
    config.parent.mkdir(parents=True)
    nowhere = '[profiles.default]\nurl = "http://127.0.0.1:1"\n'
    config.write_text(f'{nowhere}[profiles.test]\nurl = "{URL}"\napi_key = "{API_KEY}"\n')


@contextmanager
def other_server() -> Iterator[str]:
    """An HTTP server that is no platform."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def tell_end(scenario: str, began: float, error: BaseException | None) -> None:
    line: dict[str, Any] = {"id": scenario, "milliseconds": (time.monotonic() - began) * 1_000}
    if error is not None:
        line["error"] = "".join(traceback.format_exception(error))[-3_000:]
    # In one piece: other threads tell of theirs.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
