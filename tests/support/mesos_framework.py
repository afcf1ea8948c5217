"""A framework on Mesos's v1 scheduler API, for tests that want an exact account of their tasks: what it is told is read
by a thread, and waits in a queue. A master that dies is subscribed to again by `subscribe`, under the same id.
"""

import http.client
import json
import queue
import threading
import urllib.parse

SCHEDULER = "/api/v1/scheduler"
SILENCE_SECONDS = 40  # heartbeats come every 15
FAILOVER_SECONDS = 3600


class MesosFramework:
    def __init__(self, api):
        self.api = api  # tests.support.rest.Rest of the master
        self.id = self.stream_id = None
        self.events = queue.Queue()  # events as they come; None when the stream has ended

    def subscribe(self):
        info = {"user": "root", "name": "soak", "failover_timeout": FAILOVER_SECONDS,
                "capabilities": [{"type": "PARTITION_AWARE"}]}
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        if self.id:
            info["id"] = call["framework_id"] = {"value": self.id}
        place = urllib.parse.urlsplit(self.api.base)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=SILENCE_SECONDS)
        connection.request("POST", SCHEDULER, json.dumps(call), {**self.api.headers, "Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            connection.close()
            raise OSError(f"SUBSCRIBE was answered {answer.status}: {answer.read()[:300]!r}")
        self.stream_id = answer.headers["Mesos-Stream-Id"]
        first = json.loads(answer.read(int(answer.readline())))
        self.id = first["subscribed"]["framework_id"]["value"]
        threading.Thread(target=self.read, args=(connection, answer), daemon=True).start()

    def read(self, connection, answer):
        try:
            while length := answer.readline().strip():
                self.events.put(json.loads(answer.read(int(length))))
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the end of the stream, however it came
        connection.close()
        self.events.put(None)

    def call(self, kind, **more):
        """Whether the master took it; raises when nobody answers."""
        body = json.dumps({"type": kind, "framework_id": {"value": self.id}, **more}).encode()
        status, _, _ = self.api.raw("POST", SCHEDULER, body, {"Content-Type": "application/json",
                                                              "Mesos-Stream-Id": self.stream_id})
        return status == 202
