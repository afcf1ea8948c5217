"""What a host that knows the join token may say wrongly on the bus, each on a session of its own beside an honest host:
bytes that are no frame, frames of other sessions, entities that cannot be, claims about another host's tasks, and floods.
Each is answered as docs/protocol.md has it, the log stays short, and the honest host and its tasks notice nothing.

Usage: bad_frames_test.py MASTER_BINARY BUS_PROTO
"""

import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from tests.clients.foreign_executor_test import DEBIAN_PYTHON, SKIPPED, why_not
from tests.clients.programs import MasterProgram, Program
from tests.support.rest import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
ANSWER_MS = 20_000
BEAT_MS = 200
FLOOD_FRAMES = 3000
FLOOD_LOG_LINES = 60  # of a flood of seconds: at most one a second and kind
RUNNING, FINISHED = 2, 4
MASTER_BINARY = BUS_PROTO = None


class Liar:
    """An executor's session played by hand; it knows the join token. Its DEALER belongs to a thread that beats besides,
    so that a slow test is no silent host; `own` is the test's end of what that thread carries."""

    def __init__(self, master, messages, hostname="liar", beats=True):
        import zmq
        from python_executor import Executor
        self.zmq, self.pb, self.beats, self.asked = zmq, messages, beats, 0
        self.executor = Executor((master.data_dir / "join.token").read_text().strip(), hostname, messages)
        self.executor.connect()
        if not self.executor.socket.poll(ANSWER_MS, zmq.POLLOUT):
            raise AssertionError("the master does not answer the handshake")
        self.executor.greet()
        self.own, self.other_end = (self.executor.context.socket(zmq.PAIR) for _ in range(2))
        self.own.hwm = self.other_end.hwm = 0
        self.own.bind("inproc://own")
        self.other_end.connect("inproc://own")
        self.carrier = threading.Thread(target=self.carry, daemon=True)
        self.carrier.start()
        welcome = self.next("welcome")
        self.executor.session, self.executor.epoch = welcome.session, welcome.epoch
        inventory = self.frame()
        inventory.inventory.SetInParent()
        self.say(inventory)

    def carry(self):
        dealer, poller, beat_at = self.executor.socket, self.zmq.Poller(), 0.0
        poller.register(dealer, self.zmq.POLLIN)
        poller.register(self.other_end, self.zmq.POLLIN)
        try:
            while True:
                ready = dict(poller.poll(BEAT_MS))
                if self.other_end in ready:
                    dealer.send_multipart(self.other_end.recv_multipart())
                if dealer in ready:
                    self.other_end.send_multipart(dealer.recv_multipart())
                if self.beats and self.executor.session and time.monotonic() >= beat_at:
                    beat_at = time.monotonic() + BEAT_MS / 1000
                    frame = self.frame()
                    frame.beat.sequence = 0  # beat() asks with others
                    dealer.send(frame.SerializeToString())
        except self.zmq.ContextTerminated:
            dealer.close(linger=0)
            self.other_end.close(linger=0)

    def close(self):
        self.own.close(linger=0)
        self.executor.context.term()
        self.carrier.join()

    def next(self, *kinds):
        """The next frame of one of those kinds."""
        while True:
            if not self.own.poll(ANSWER_MS):
                raise AssertionError(f"no {kinds} came")
            frame = self.pb.Frame()
            frame.ParseFromString(self.own.recv())
            if frame.WhichOneof("body") in kinds:
                return frame

    def forget_answers(self):
        while self.own.poll(0):
            self.own.recv()

    def frame(self):
        return self.executor.frame()

    def send(self, *parts):
        self.own.send_multipart(parts)

    def say(self, frame):
        self.send(frame.SerializeToString())

    def beat(self):
        """"beat" when the session goes on, the reason when it is refused."""
        self.asked += 1
        frame = self.frame()
        frame.beat.sequence = self.asked
        self.say(frame)
        while (answer := self.next("beat", "refused")).WhichOneof("body") == "beat":
            if answer.beat.sequence == self.asked:
                return "beat"
        return self.pb.Refused.Why.Name(answer.refused.why)


class BadFramesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from python_executor import load_messages
        cls.pb = load_messages(pathlib.Path(BUS_PROTO).parent)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-frames-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.master = MasterProgram(MASTER_BINARY, self.folder)
        self.addCleanup(self.master.kill)
        self.api = self.master.start().api
        script = REPOSITORY / "tests/clients/emulated_hosts.py"
        self.honest = Program([DEBIAN_PYTHON, script, self.master.data_dir / "join.token", "honest", 1, 4,
                               pathlib.Path(BUS_PROTO).parent], self.folder / "honest.log")
        self.addCleanup(self.honest.kill)
        self.api.post("/v2/apps", {"id": "/app", "cmd": "serve", "instances": 2, "cpus": 1, "mem": 16, "constraints":
                                   [["hostname", "CLUSTER", "honest0"]],
                                   "container": {"type": "DOCKER", "docker": {"image": "none"}}})
        wait_until("the app runs", lambda: len(self.running()) == 2)
        self.before = self.running()

    def tearDown(self):
        """Whatever was said, nobody else noticed."""
        self.assertTrue(self.master.alive())
        self.assertEqual(self.before, self.running())
        self.assertEqual("UP", self.hosts()["honest0"]["state"])
        launched = [line for line in self.honest.log.read_text().splitlines() if '"launched"' in line]
        self.assertEqual(2, len(launched), "a task of the honest host was replaced")
        self.assertNotIn('"ended"', self.honest.log.read_text())
        self.assertNotIn('"lost"', self.honest.log.read_text())
        fresh = self.liar("fresh")
        self.assertEqual("beat", fresh.beat())

    def running(self):
        tasks = self.api.get("/v2/apps/app/tasks")["tasks"]
        return sorted(task["id"] for task in tasks if task["state"] == "TASK_RUNNING")

    def hosts(self):
        return {host["hostname"]: host for host in self.api.get("/methos/v1/hosts")["hosts"]}

    def liar(self, hostname="liar", beats=True):
        liar = Liar(self.master, self.pb, hostname, beats)
        self.addCleanup(liar.close)
        return liar

    def described(self, liar):
        """What the master takes the liar's host for."""
        host = self.api.get(f"/methos/v1/hosts/{liar.executor.host_id}")["host"]
        return {key: host[key] for key in ("id", "hostname", "address", "role", "attributes", "resources", "state")}

    def metric(self, name):
        text = self.api.raw("GET", "/metrics/prometheus")[2].decode()
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))

    def log_lines(self):
        return self.master.process.log.read_text().splitlines()

    def test_bytes_that_are_no_frame_are_refused_as_such(self):
        liar = self.liar()
        beat = liar.frame()
        beat.beat.sequence = 1
        hello = liar.frame()
        hello.hello.build = "x"
        status = liar.frame()
        status.status.tasks.add(name="x", message="y", state=RUNNING)
        deep = b"\x0b" * 100_000  # groups in groups
        broken = {
            "garbage": b"\xff\xff\xff garbage", "text": b"GET / HTTP/1.1\r\n\r\n", "half a status": status.SerializeToString()[:-3],
            "groups": deep, "a length beyond the end": b"\x52\xff\xff\xff\xff\x07", "a field number of zero": b"\x02\x01x",
            "text that is not UTF-8": status.SerializeToString().replace(b"x", b"\xff"),
            "a list without end": b"\xb2\x01" + b"\x80\xea\x01" + b"\x0a\x00" * 15_000,
        }
        before = self.metric("methos_master_bus_bad_frames_total")
        for name, content in broken.items():
            with self.subTest(name):
                liar.send(content)
                self.assertEqual(self.pb.Refused.BAD_FRAME, liar.next("refused").refused.why)
        self.assertEqual(before + len(broken), self.metric("methos_master_bus_bad_frames_total"))
        self.assertEqual("beat", liar.beat())

    def test_frames_cut_anywhere_do_no_harm(self):
        liar = self.liar()
        frame = liar.frame()
        frame.status.tasks.add(number=1, name="n", stamp=1, state=RUNNING, message="m", ip_addresses=["1.2.3.4"],
                               host_ports=[80], exit_code=-1, healthy=True)
        whole = frame.SerializeToString()
        for length in range(1, len(whole)):
            liar.send(whole[:length])
            liar.send(whole[:length] + b"\xff" + whole[length + 1:])
        liar.send(b"a part", whole)  # messages of more parts are ignored
        liar.send(b"")
        self.assertEqual(self.pb.Refused.BAD_FRAME, liar.next("refused").refused.why)
        self.assertEqual("beat", self.liar("another").beat())

    def test_frames_of_other_sessions(self):
        liar = self.liar()
        for session, epoch in ((0, 0), (liar.executor.session + 1, liar.executor.epoch),
                               (liar.executor.session, liar.executor.epoch + 1), (liar.executor.session, 0), (2 ** 64 - 1, 2 ** 64 - 1)):
            with self.subTest(session=session, epoch=epoch):
                frame = self.pb.Frame(session=session, epoch=epoch)
                frame.goodbye.grace_ms = 1
                liar.say(frame)
                self.assertEqual(self.pb.Refused.UNKNOWN_SESSION, liar.next("refused").refused.why)
        self.assertEqual("beat", liar.beat())

    def test_entities_that_cannot_be_are_left_out_alone(self):
        def statuses(*entries):
            def fill(frame):
                frame.status.SetInParent()
                for entry in entries:
                    frame.status.tasks.add(**entry)
            return fill

        def inventory(frame):
            frame.inventory.tasks.add(number=0, name="")
            frame.inventory.tasks.add(number=2 ** 63, state=99)

        def backwards(kind):
            return lambda frame: getattr(frame, kind).SetInParent()

        bad = {
            "an unknown state": statuses({"number": 1, "state": 99}), "the master's own states": statuses(
                *({"number": 1, "stamp": 5, "state": state} for state in (8, 9, 10, 11, 12))),
            "a task of nobody": statuses({"number": 2 ** 63, "stamp": 3, "state": RUNNING, "name": "nobody"}),
            "a name with a NUL": statuses({"number": 1, "state": RUNNING, "name": "a\0b"}),
            "neither name nor number": statuses({"stamp": 3, "state": RUNNING}),
            "ports beyond ports": statuses({"number": 1, "state": RUNNING, "host_ports": [65536, 2 ** 32 - 1]}),
            "a time before time": statuses({"number": 1, "state": RUNNING, "time_ms": -2 ** 63}),
            "a time after time": statuses({"number": 1, "state": RUNNING, "time_ms": 2 ** 63 - 1}),
            "tasks that are none": inventory,
            **{f"a {kind} from an executor": backwards(kind) for kind in
               ("welcome", "refused", "launch", "kill", "ack", "stream_open", "stream_data", "stream_credit", "stream_end")},
        }
        for name, fill in bad.items():
            with self.subTest(name):
                liar = self.liar()
                frame = liar.frame()
                fill(frame)
                liar.say(frame)
                self.assertIn(liar.beat(), ("beat", "BAD_FRAME"))
                liar.close()

    def test_hosts_that_cannot_be_stay_what_they_were(self):
        def tell(liar, ports=(31000, 31999), attributes=None, **fields):
            frame = liar.frame()
            frame.host.id, frame.host.hostname, frame.host.milli_cpus = liar.executor.host_id, "liar", 1000
            frame.host.docker_up = True
            frame.host.ports.add(first=ports[0], last=ports[1])
            frame.host.attributes.update(attributes or {})
            for name, value in fields.items():
                setattr(frame.host, name, value)
            liar.say(frame)

        bad = {
            "no memory": {"mem_bytes": -1}, "too much memory": {"mem_bytes": 2 ** 63 - 1}, "no cpus": {"milli_cpus": -2 ** 63},
            "ports in reverse": {"ports": (5, 1)}, "ports that are none": {"ports": (0, 2 ** 32 - 1)}, "no id": {"id": ""},
            "no name": {"hostname": ""}, "a name of lines": {"hostname": "a\nb"}, "a name that clears screens": {"hostname": "\033[2J"},
            "an address of lines": {"address": "10.0.0.1\r\n"}, "a role of blanks": {"role": "a b"}, "a role of lines": {"role": "a\nb"},
            "an attribute of lines": {"attributes": {"rack": "1\n2"}}, "a key of lines": {"attributes": {"ra\nck": "1"}},
            "large attributes": {"attributes": {f"k{n}": "v" * 1000 for n in range(300)}},
            "huge attributes": {"attributes": {f"k{n}": "v" * 50_000 for n in range(40)}},
        }
        liar = self.liar()
        before = self.described(liar)
        for name, fields in bad.items():
            with self.subTest(name):
                refused = self.metric("methos_master_bus_bad_frames_total")
                tell(liar, **fields)
                self.assertEqual("beat", liar.beat())
                self.assertEqual(refused + 1, self.metric("methos_master_bus_bad_frames_total"))
                self.assertEqual(before, self.described(liar))
        honest = self.hosts()["honest0"]
        tell(liar, id=honest["id"])
        self.assertEqual("beat", liar.beat())
        self.assertEqual(honest["resources"], self.hosts()["honest0"]["resources"])

        tell(liar, attributes={"rack": "1"})  # the same way, and nothing is wrong with it
        wait_until("a good one is taken", lambda: self.described(liar)["attributes"] == {"rack": "1"})
        self.assertEqual(1, self.described(liar)["resources"]["cpus"]["total"])
        self.api.post("/v2/apps", {"id": "/afterwards", "cmd": "serve", "instances": 0,
                                   "container": {"type": "DOCKER", "docker": {"image": "none"}}})

    def test_another_hosts_tasks_are_not_his_to_tell_of(self):
        listed = self.api.get(f"/methos/v1/hosts/{self.hosts()['honest0']['id']}")["host"]["taskList"]
        names = [task["id"] for task in listed]
        self.assertEqual(self.before, sorted(names))
        liar = self.liar()
        for number in range(1, 50):
            frame = liar.frame()
            frame.status.tasks.add(number=number, stamp=number, state=FINISHED)
            for name in names:
                frame.status.tasks.add(number=0, name=name, stamp=1000 + number, state=FINISHED)
                frame.status.tasks.add(number=number, name=name, stamp=2000 + number, state=FINISHED)
            liar.say(frame)
        frame = liar.frame()
        for name in names:
            frame.inventory.tasks.add(name=name, state=RUNNING)
        liar.say(frame)
        frame = liar.frame()
        frame.inventory.SetInParent()  # and now it has none of them
        liar.say(frame)
        self.assertEqual("beat", liar.beat())

    def test_nobody_becomes_another_host(self):
        for change in ({"host_key": "guessed"}, {"secret": "guessed"}, {"protocol": 99}, {"host": ""}):
            with self.subTest(change=change):
                liar = self.liar(beats=False)  # a refused HELLO ends its session, and beats would be answered so
                hello = self.pb.Frame()
                hello.hello.protocol_min = hello.hello.protocol_max = change.get("protocol", 1)
                hello.hello.join_secret = change.get("secret", liar.executor.token["secret"])
                hello.hello.host_key = change.get("host_key", liar.executor.host_key)
                hello.hello.host.id = change.get("host", self.hosts()["honest0"]["id"])
                hello.hello.host.hostname = "honest0"
                liar.say(hello)
                self.assertIn(liar.next("refused", "welcome").refused.why,
                              {"host_key": {self.pb.Refused.DUPLICATE_HOST}, "secret": {self.pb.Refused.BAD_SECRET},
                               "protocol": {self.pb.Refused.BAD_PROTOCOL}, "host": {self.pb.Refused.BAD_FRAME}}[next(iter(change))])
                stream = self.pb.Frame()
                stream.hello.CopyFrom(hello.hello)
                stream.hello.connection = self.pb.Hello.STREAM
                stream.hello.control_session = liar.executor.session
                liar.say(stream)
                self.assertEqual("refused", liar.next("refused", "welcome").WhichOneof("body"))

    def test_a_flood_leaves_a_short_log(self):
        liar = self.liar()
        before = len(self.log_lines())
        for _ in range(FLOOD_FRAMES):
            liar.send(b"\xff\xff\xff garbage")
            frame = liar.frame()
            frame.status.tasks.add(number=1, state=99)
            liar.say(frame)
            liar.forget_answers()
        wait_until("all of it was seen", lambda: self.metric("methos_master_bus_bad_frames_total") >= FLOOD_FRAMES)
        self.assertLess(len(self.log_lines()) - before, FLOOD_LOG_LINES)


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    try:
        import zmq  # noqa: F401
    except ImportError:  # Debian's python has it, whatever comes first on PATH
        os.execv(DEBIAN_PYTHON, [DEBIAN_PYTHON, *sys.argv])
    sys.path.insert(0, str(REPOSITORY / "tests/clients"))
    MASTER_BINARY, BUS_PROTO = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
