"""A server on this machine alone, for what fetches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Quiet(SimpleHTTPRequestHandler):
    """Serves the folder `directory`, and prints nothing."""

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(handler: Callable, **options) -> Iterator[str]:
    """The address of a server whose requests a handler answers, made with these options."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, **options)) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
