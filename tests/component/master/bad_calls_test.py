"""What a framework may say wrongly to Mesos's v1 API, over real HTTP to a real master with emulated hosts: offers of
yesterday, of two hosts, for more than they hold; ids used twice; another's framework; bodies that are bombs. Each is
answered as docs/mesos.md has it, and afterwards an ordinary framework launches as if nothing had been.

Usage: bad_calls_test.py MASTER_BINARY BUS_PROTO
"""

import http.client
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from tests.clients.foreign_executor_test import DEBIAN_PYTHON, SKIPPED, why_not
from tests.clients.programs import MasterProgram, Program
from tests.support.rest import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
SCHEDULER = "/api/v1/scheduler"
EVENT_SECONDS = 30
BOMB_SECONDS = 60  # megabytes are read to their end, by a master that shares its processor
LOG_LINES_MAX = 50  # of what one run of bad calls leaves in the master's log
TOO_LARGE = "size"  # the bomb that is answered 413; clients send all of it before they look
MASTER_BINARY = BUS_PROTO = None


class Framework:
    """A subscription, and calls by its stream id."""

    def __init__(self, master, framework_id=None):
        self.master = master
        info = {"user": "root", "name": "test", "failover_timeout": 600, "capabilities": [{"type": "PARTITION_AWARE"}]}
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        if framework_id:
            info["id"] = call["framework_id"] = {"value": framework_id}
        self.connection = http.client.HTTPConnection("127.0.0.1", master.port, timeout=EVENT_SECONDS)
        self.connection.request("POST", SCHEDULER, json.dumps(call),
                                {**master.api.headers, "Content-Type": "application/json"})
        self.response = self.connection.getresponse()
        self.status, self.refusal = self.response.status, ""
        if self.status != 200:
            self.refusal = self.response.read().decode()
            return
        self.stream_id = self.response.headers["Mesos-Stream-Id"]
        self.id = self.next("SUBSCRIBED")["framework_id"]["value"]
        self.offers = {}

    def close(self):
        self.response.close()
        self.connection.close()

    def next(self, kind):
        """The next event of that kind; offers on the way are kept."""
        while True:
            event = json.loads(self.response.read(int(self.response.readline())))
            if event["type"] == "OFFERS":
                self.offers.update({offer["hostname"]: offer for offer in event["offers"]["offers"]})
            if event["type"] == kind:
                return event.get(kind.lower())

    def offer_of(self, hostname):
        while hostname not in self.offers:
            self.next("OFFERS")
        return self.offers.pop(hostname)

    def status_of(self, task):
        """What comes next about it, acknowledged."""
        while (status := self.next("UPDATE")["status"])["task_id"]["value"] != task:
            self.acknowledge(status)
        self.acknowledge(status)
        return status

    def acknowledge(self, status):
        if "uuid" in status:
            self.call("ACKNOWLEDGE", acknowledge={key: status[key] for key in ("task_id", "agent_id", "uuid")})

    def call(self, kind, stream_id=None, framework_id=None, **more):
        """Status and text of the answer."""
        body = {"type": kind, "framework_id": {"value": framework_id or self.id}, **more}
        status, _, text = self.master.api.raw("POST", SCHEDULER, json.dumps(body).encode(), {
            "Content-Type": "application/json", "Mesos-Stream-Id": stream_id or self.stream_id})
        return status, text.decode()

    def accept(self, offers, *tasks):
        launch = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
        return self.call("ACCEPT", accept={"offer_ids": [offer["id"] for offer in offers], "operations": [launch],
                                           "filters": {"refuse_seconds": 0}})


def task(name, offer, cpus=0.5):
    return {"name": name, "task_id": {"value": name}, "agent_id": offer["agent_id"],
            "command": {"value": "serve", "shell": True}, "container": {"type": "DOCKER", "docker": {"image": "none"}},
            "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
                          {"name": "mem", "type": "SCALAR", "scalar": {"value": 16}}]}


class BadCallsTest(unittest.TestCase):
    """Two hosts of two cpus, a0 and a1."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-calls-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.master = MasterProgram(MASTER_BINARY, self.folder)
        self.addCleanup(self.master.kill)
        self.master.start()
        script = REPOSITORY / "tests/clients/emulated_hosts.py"
        self.hosts = Program([DEBIAN_PYTHON, script, self.master.data_dir / "join.token", "a", 2, 2,
                              pathlib.Path(BUS_PROTO).parent], self.folder / "hosts.log")
        self.addCleanup(self.hosts.kill)
        # Who subscribes first is offered both.
        wait_until("they are there", lambda: self.hosts.log.read_text().count('"inventoried"') == 2)

    def subscribe(self, framework_id=None):
        framework = Framework(self.master, framework_id)
        self.addCleanup(framework.close)
        return framework

    def launched(self):
        return [json.loads(line)["task"] for line in self.hosts.log.read_text().splitlines() if '"launched"' in line]

    def assert_runs(self, framework, name, hostname="a0"):
        """An ordinary launch works."""
        offer = framework.offer_of(hostname)
        self.assertEqual((202, ""), framework.accept([offer], task(name, offer)))
        self.assertEqual("TASK_RUNNING", framework.status_of(name)["state"])
        self.assertEqual(1, self.launched().count(name))

    def assert_ends_as(self, framework, name, state, reason, says=""):
        status = framework.status_of(name)
        self.assertEqual((state, reason), (status["state"], status.get("reason")), status)
        self.assertIn(says, status.get("message", ""))

    def test_an_offer_of_yesterday(self):
        framework = self.subscribe()
        yesterday = framework.offer_of("a0")
        self.master.kill()
        self.master.start()
        again = self.subscribe(framework.id)
        self.assertEqual(framework.id, again.id)
        self.assertEqual(202, again.accept([yesterday], task("late", yesterday))[0])
        self.assert_ends_as(again, "late", "TASK_DROPPED", "REASON_INVALID_OFFERS")
        self.assert_runs(again, "next")
        self.assertEqual(202, again.accept([yesterday], task("later", yesterday))[0])
        self.assert_ends_as(again, "later", "TASK_DROPPED", "REASON_INVALID_OFFERS")
        self.assertEqual(["next"], self.launched())

    def test_more_than_was_offered(self):
        framework = self.subscribe()
        offer = framework.offer_of("a0")
        self.assertEqual(202, framework.accept([offer], task("first", offer, cpus=1.5), task("second", offer, cpus=0.75),
                                               task("third", offer, cpus=0.5), task("huge", offer, cpus=1e300))[0])
        seen = {}
        while len(seen) < 4:
            status = framework.next("UPDATE")["status"]
            framework.acknowledge(status)
            seen[status["task_id"]["value"]] = status["state"]
        self.assertEqual({"first": "TASK_RUNNING", "second": "TASK_ERROR", "third": "TASK_RUNNING", "huge": "TASK_ERROR"},
                         seen)
        self.assertEqual({"first", "third"}, set(self.launched()))
        wait_until("it is in the log", lambda: "task second of framework" in self.master.process.log.read_text())
        self.assert_runs(framework, "next", "a1")

    def test_offers_of_two_hosts_together(self):
        framework = self.subscribe()
        offers = [framework.offer_of("a0"), framework.offer_of("a1")]
        self.assertEqual(202, framework.accept(offers, task("both", offers[0]))[0])
        self.assert_ends_as(framework, "both", "TASK_DROPPED", "REASON_INVALID_OFFERS")
        self.assertEqual([], self.launched())
        self.assert_runs(framework, "next", "a0")  # both were given back
        self.assert_runs(framework, "other", "a1")

    def test_an_offer_twice_and_a_task_for_another_host(self):
        framework = self.subscribe()
        offer, other = framework.offer_of("a0"), framework.offer_of("a1")
        framework.accept([offer, offer], task("twice", offer))
        self.assert_ends_as(framework, "twice", "TASK_DROPPED", "REASON_INVALID_OFFERS")
        framework.accept([other], task("astray", offer))
        self.assertEqual("TASK_ERROR", framework.status_of("astray")["state"])
        self.assert_runs(framework, "next", "a1")

    def test_a_task_id_that_runs(self):
        framework = self.subscribe()
        self.assert_runs(framework, "once", "a0")
        offer = framework.offer_of("a1")
        self.assertEqual(202, framework.accept([offer], task("once", offer))[0])
        status = framework.status_of("once")
        self.assertEqual("TASK_ERROR", status["state"], status)
        self.assertEqual(["once"], self.launched())
        framework.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": "once"}}]})
        self.assertEqual("TASK_RUNNING", framework.status_of("once")["state"])
        for name in ("", ".", "..", "a/b", "x" * 2000, "nul\0"):
            with self.subTest(name=name[:10]):
                offer = framework.offer_of("a1")
                status, _ = framework.accept([offer], task(name, offer))
                if status == 202:
                    self.assertEqual("TASK_ERROR", framework.status_of(name)["state"])
                else:
                    self.assertEqual(400, status)
                    framework.call("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0}})

    def test_another_ones_framework(self):
        owner, thief = self.subscribe(), self.subscribe()
        self.assert_runs(owner, "mine")
        victim = {"task_id": {"value": "mine"}}
        for kind, more in (("KILL", {"kill": victim}), ("TEARDOWN", {}), ("SUPPRESS", {}), ("REVIVE", {})):
            with self.subTest(kind=kind):
                # Its id with our stream, our id and its stream, a stream that nobody has.
                self.assertIn(thief.call(kind, framework_id=owner.id, **more)[0], (400, 403))
                self.assertIn(thief.call(kind, stream_id=owner.stream_id, **more)[0], (400, 403))
                self.assertIn(thief.call(kind, stream_id="nobody", framework_id=owner.id, **more)[0], (400, 403))
        self.assertEqual(202, thief.call("KILL", kill=victim)[0])  # of its own tasks, of which it has none of that name
        self.assertNotEqual("TASK_RUNNING", thief.status_of("mine")["state"])
        owner.call("RECONCILE", reconcile={"tasks": [victim]})
        self.assertEqual("TASK_RUNNING", owner.status_of("mine")["state"])

    def test_another_principals_framework(self):
        owner = self.subscribe()
        self.master.kill()
        self.master.flags = ("--auth", "none")  # where everybody is somebody else than the administrator
        self.master.start()
        self.master.api.headers = {}
        thief = self.subscribe(owner.id)
        self.assertEqual(403, thief.status, thief.refusal)
        self.assertEqual(200, self.subscribe().status)

    def test_bodies_that_are_bombs(self):
        framework = self.subscribe()
        head = '{"type":"KILL","framework_id":{"value":"%s"},"kill":' % framework.id
        bombs = {
            "depth": head + "[" * 1_000_000, "depth of objects": head + '{"a":' * 500_000,
            "deep but closed": head + "[" * 65 + "]" * 65 + "}", "size": head + '"' + "x" * (5 << 20) + '"}',
            "values": head + "[" + "0," * 600_000 + "0]}", "half": head + '{"task_id":{"value":"x"}',
            "duplicate": head + '{"task_id":{"value":"a","value":"b"}}}', "duplicate type": '{"type":"KILL",' + head[1:] + "{}}",
            "NaN": head + '{"task_id":{"value":NaN}}}', "infinite": head + "1e999}", "empty": "", "null": "null", "list": "[]",
            "number": "12345678901234567890123456789", "not UTF-8": b'{"type":"\xff\xfe"}', "NUL": '{"type":"KI\0LL"}',
            "no type": "{}", "unknown type": '{"type":"DANCE","framework_id":{"value":"x"}}', "type of number": '{"type":7}',
            "text": '{"type":"KILL","framework_id":"x","kill":{}}', "XML": "<xml/>",
        }
        for name, body in bombs.items():
            with self.subTest(name):
                content = body if isinstance(body, bytes) else body.encode()
                status, headers, text = self.master.api.raw("POST", SCHEDULER, content, {
                    "Content-Type": "application/json", "Mesos-Stream-Id": framework.stream_id}, BOMB_SECONDS)
                self.assertEqual(413 if name == TOO_LARGE else 400, status, text[:200])
                self.assertTrue(headers["Content-Type"].startswith("text/plain"))
                self.assertLess(len(text), 1000, "a bomb comes back")
                status, _, _ = self.master.api.raw("POST", "/api/v1", content, {"Content-Type": "application/json"},
                                                   BOMB_SECONDS)
                self.assertIn(status, (400, 413, 501), name)
        self.assert_nothing_happened(framework)

    def test_numbers_that_no_resource_has(self):
        framework = self.subscribe()
        for number in ("-1", "1e308", "-1e308", "18446744073709551616", '"1"', "true", "{}", "[1,2]"):
            with self.subTest(number=number):
                offer = framework.offer_of("a0")
                wanted = json.dumps(task("odd" + number, offer, cpus=4711)).replace("4711", number)
                body = ('{"type":"ACCEPT","framework_id":{"value":"%s"},"accept":{"offer_ids":[%s],"filters":{"refuse_seconds":0},'
                        '"operations":[{"type":"LAUNCH","launch":{"task_infos":[%s]}}]}}'
                        % (framework.id, json.dumps(offer["id"]), wanted))
                status, _, text = self.master.api.raw("POST", SCHEDULER, body.encode(), {
                    "Content-Type": "application/json", "Mesos-Stream-Id": framework.stream_id})
                if status == 202:
                    status = framework.status_of("odd" + number)
                    self.assertEqual("TASK_ERROR", status["state"], status)
                else:
                    self.assertEqual(400, status, text)
                    framework.call("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0}})
        self.assert_nothing_happened(framework)

    def assert_nothing_happened(self, framework):
        self.assertEqual([], self.launched())
        self.assert_runs(framework, "afterwards", "a1")
        states = [host["state"] for host in self.master.api.get("/methos/v1/hosts")["hosts"]]
        self.assertEqual(["UP", "UP"], states)
        self.assertTrue(self.master.alive())
        self.assertLess(len(self.master.process.log.read_text().splitlines()), LOG_LINES_MAX)
        wait_until("the master answers", lambda: self.master.api.raw("GET", "/ping")[0] == 200)


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    MASTER_BINARY, BUS_PROTO = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
