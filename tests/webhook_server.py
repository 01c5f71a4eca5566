"""A web server on loopback that takes posts, and answers, fails or hangs as a test wants."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Keeps what was posted. ``answers`` is one status after the other, the last for all that
    follow; 0 takes the post and never answers.
    """

    def __init__(self, *answers):
        self.answers = list(answers) or [204]
        self.posts = []
        self.headers = []
        self.paths = []
        self.more_headers = {}
        self._over = threading.Event()
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(self.path, dict(self.headers), body)
                if not status:
                    receiver._over.wait()
                    return
                self.send_response(status)
                for name, value in receiver.more_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def take(self, path, headers, body):
        with self._lock:
            self.paths.append(path)
            self.headers.append(headers)
            self.posts.append(json.loads(body))
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def keys(self):
        """The keys of what was posted, in order."""
        return [headers["Idempotency-Key"] for headers in self.headers]

    def close(self):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
