"""A W&B server on loopback, as far as wandb needs one: runs and their history arrive here.

``UpsertBucket`` and ``file_stream`` are answered as a server does; everything else gets the answer
of a server that does not know it, which every supported version takes (0.16.6 also asks for the
server's settings).
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_FILE_STREAM = re.compile(r"/files/([^/]*)/([^/]*)/([^/]*)/file_stream\Z")


class WandbServer:
    """Keeps what arrives.

    Attributes:
        url: Its address.
        requests: Each operation or path, with the variables or the body, in order.
        connections: How many were opened, whatever came of them.
        keys: The values of ``Authorization`` that were seen.
        history: Rows of the history, by run.
        complete: Runs whose end has arrived, with the exit code.
        status: What every request is answered with unless 200.
        hold: While it is set, file streams are taken and not answered.
    """

    def __init__(self):
        self.requests = []
        self.connections = 0
        self.keys = set()
        self.history = {}
        self.complete = {}
        self.status = 200
        self.hold = threading.Event()
        self.released = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                server.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = server.take(self.path, self.headers, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path, headers, body):
        with self._lock:
            self.keys.add(headers.get("Authorization"))
            if self.status != 200:
                self.requests.append((path, None))
                return self.status, {"errors": [{"message": f"HTTP {self.status}"}]}
            if path == "/graphql":
                return 200, self._operation(json.loads(body))
            match = _FILE_STREAM.match(path)
            self.requests.append((path, None))
            if match is None:
                return 404, {}
        if self.hold.is_set():
            self.released.wait(60)
        with self._lock:
            self._stream(match[3], json.loads(body))
        return 200, {}

    def _operation(self, asked):
        found = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
        name = asked.get("operationName") or (found[1] if found else "")
        given = asked.get("variables") or {}
        self.requests.append((name, given))
        if name == "ProbeServerSettings":
            return {"data": {"QueryType": {"fields": []}, "MutationType": {"fields": []}}}
        if name != "UpsertBucket":
            return {"data": None, "errors": [{"message": f"no operation {name}"}]}
        entity = {"id": "E", "name": given.get("entity") or "me"}
        project = {"id": "P", "name": given.get("project") or "uncategorized", "entity": entity}
        bucket = {
            "id": f"Run:{given.get('name')}",
            "name": given.get("name"),
            "displayName": given.get("displayName") or "a-name",
            "description": None,
            "config": "{}",
            "sweepName": None,
            "historyLineCount": 0,
            "project": project,
        }
        return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}

    def _stream(self, run, body):
        files = body.get("files") or {}
        rows = files.get("wandb-history.jsonl", {}).get("content", ())
        self.history.setdefault(run, []).extend(json.loads(row) for row in rows)
        if body.get("complete"):
            self.complete[run] = body.get("exitcode")

    def values(self, run, key):
        """What arrived of one metric of a run, in order."""
        return [row[key] for row in self.history.get(run, ()) if key in row]

    def close(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
