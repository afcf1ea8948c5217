"""HTTP for the harness: one request over TCP or a Unix socket, JSON in and out, and waiting for a condition.

Used by the lab, the cluster tests, quickstart and the bench. Every request has a deadline; nothing here retries.
"""

import http.client
import json
import socket
import ssl
import time
import urllib.parse

REQUEST_SECONDS = 10
POLL_SECONDS = 0.05


class WaitTimeout(AssertionError):
    """A condition did not come true in time; the message says which, and what was seen last."""


def wait_until(what, condition, seconds=30, poll=POLL_SECONDS):
    """Asks `condition` until it returns something true, and returns that. An error of the outside world counts as
    "not yet"; the last one is part of the message when time runs out."""
    deadline = time.monotonic() + seconds
    seen = None
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except (OSError, http.client.HTTPException, RestError, ValueError, KeyError) as error:
            seen = error
        if time.monotonic() > deadline:
            raise WaitTimeout(f"not within {seconds} s: {what}; seen last: {seen!r}")
        time.sleep(poll)


class RestError(Exception):
    """An answer that was not a success."""

    def __init__(self, method, url, status, body):
        super().__init__(f"{method} {url} answered {status}: {body[:600]!r}")
        self.status = status
        self.body = body


class UnixConnection(http.client.HTTPConnection):
    """http.client over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Rest:
    """One server. `base` is http://HOST:PORT, https://HOST:PORT (trusting who is in `ca_file` only) or unix:///path;
    keeps no connection open unless keep_alive."""

    def __init__(self, base, headers=None, timeout=REQUEST_SECONDS, keep_alive=False, ca_file=None):
        self.base = base.rstrip("/")
        self.headers = headers or {}
        self.timeout = timeout
        self.kept = None
        self.keep_alive = keep_alive
        self.trust = ssl.create_default_context(cafile=ca_file) if ca_file else None

    def close(self):
        """Ends the connection that was kept."""
        if self.kept:
            self.kept.close()
            self.kept = None

    def connect(self, timeout):
        if self.base.startswith("unix://"):
            return UnixConnection(self.base[len("unix://"):], timeout)
        parts = urllib.parse.urlsplit(self.base)
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=self.trust)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def raw(self, method, path, body=None, headers=None, timeout=None):
        """The answer's status, headers and bytes, whatever the status is."""
        connection = self.kept or self.connect(timeout or self.timeout)
        done = False
        try:
            connection.request(method, path, body=body, headers={**self.headers, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
            done = True
        finally:
            if self.keep_alive and done:
                self.kept = connection
            else:
                connection.close()
                self.kept = None
        return answer.status, answer.headers, content

    def json(self, method, path, body=None, timeout=None):
        """The answer's JSON (None when it has no body); RestError when the status is 300 or more."""
        encoded = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        status, _, content = self.raw(method, path, encoded, headers, timeout)
        if status >= 300:
            raise RestError(method, self.base + path, status, content.decode(errors="replace"))
        return json.loads(content) if content.strip() else None

    def get(self, path, timeout=None):
        return self.json("GET", path, timeout=timeout)

    def post(self, path, body=None, timeout=None):
        return self.json("POST", path, body if body is not None else {}, timeout)

    def put(self, path, body, timeout=None):
        return self.json("PUT", path, body, timeout)

    def delete(self, path, timeout=None):
        return self.json("DELETE", path, timeout=timeout)
