"""What operators do with hosts and roles, over the HTTP of a real master and by the real command line: cordon, drain,
gone, inspect, weights, quotas; and what each answers to bad input. The hosts are emulated (tests/clients/emulated_hosts.py).

Usage: operators_test.py MASTER_BINARY CLI_BINARY BUS_PROTO
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from tests.clients.foreign_executor_test import DEBIAN_PYTHON, SKIPPED, why_not
from tests.clients.programs import MasterProgram, Program
from tests.support.rest import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
HOSTS = "/methos/v1/hosts"
ROLES = "/methos/v1/roles"
DONE, FAILED, USAGE, NOT_FOUND, WAITED_TOO_LONG = 0, 1, 2, 4, 124
MASTER_BINARY = CLI_BINARY = BUS_PROTO = None


class OperatorsTest(unittest.TestCase):
    """Two hosts of two cpus, a0 and a1."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-operators-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.master = MasterProgram(MASTER_BINARY, self.folder)
        self.addCleanup(self.master.kill)
        self.api = self.master.start().api
        self.start_hosts("a", 2)

    def start_hosts(self, name, count):
        """When it returns the master knows what they have, so that each may be given tasks."""
        script = REPOSITORY / "tests/clients/emulated_hosts.py"
        log = self.folder / f"{name}-{len(list(self.folder.glob('*.log')))}.log"
        program = Program([DEBIAN_PYTHON, script, self.master.data_dir / "join.token", name, count, 2,
                           pathlib.Path(BUS_PROTO).parent], log)
        self.addCleanup(program.kill)
        wait_until("they are there", lambda: log.read_text().count('"inventoried"') == count)
        return program

    def hosts(self):
        return {host["hostname"]: host for host in self.api.get(HOSTS)["hosts"]}

    def states(self):
        return {name: host["state"] for name, host in self.hosts().items()}

    def wait_for_state(self, name, state):
        wait_until(f"{name} is {state}", lambda: self.states().get(name) == state)

    def path(self, name, verb=""):
        return f"{HOSTS}/{self.hosts()[name]['id']}" + (f"/{verb}" if verb else "")

    def act(self, name, verb, body=None):
        """What the master says that the host is afterwards."""
        return self.api.json("POST", self.path(name, verb), body)["host"]["state"]

    def deploy(self, instances, running=None):
        """An app of so many instances of one cpu each, of which so many fit."""
        self.api.put("/v2/apps/app", {"id": "/app", "cmd": "serve", "instances": instances, "cpus": 1, "mem": 16,
                                      "container": {"type": "DOCKER", "docker": {"image": "none"}}})
        self.wait_running(instances if running is None else running)

    def where(self):
        """The hosts of what runs, sorted."""
        tasks = self.api.get("/v2/apps/app/tasks")["tasks"]
        return sorted(task["host"] for task in tasks if task["state"] == "TASK_RUNNING")

    def wait_running(self, count):
        wait_until(f"{count} instances run", lambda: len(self.where()) == count)

    def on(self, name):
        return self.hosts()[name]["tasks"]

    def assert_refused(self, status, method, path, body=None, says=""):
        """The answer is an error in our own shape; `body` is bytes, or a document."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        answered, headers, answer = self.api.raw(method, path, content)
        self.assertEqual(status, answered, (method, path, content and content[:60], answer[:300]))
        self.assertEqual("application/json", headers["Content-Type"])
        error = json.loads(answer)["error"]
        self.assertTrue(error["code"] and error["message"])
        self.assertIn(says, error["message"])


class HostsTest(OperatorsTest):
    def test_a_cordoned_host_keeps_what_it_has_and_takes_nothing_new(self):
        self.deploy(2)
        for _ in range(2):  # twice is the same
            self.assertEqual("CORDONED", self.act("a0", "cordon"))
        self.deploy(4, running=3)
        self.assertEqual((1, 2), (self.on("a0"), self.on("a1")))
        why = self.api.get("/methos/v1/why/app")
        self.assertEqual(1, sum(group["count"] for group in why["waiting"]), why)
        self.master.kill()
        self.api = self.master.start().api
        self.wait_for_state("a0", "CORDONED")  # it is durable
        for _ in range(2):
            self.assertEqual("UP", self.act("a0", "uncordon"))
        self.wait_running(4)

    def test_a_drain_moves_what_there_is_elsewhere(self):
        self.deploy(2)
        self.assertIn(self.act("a0", "drain", {"grace": "5s", "deadline": 3600, "atOnce": 1}), ("DRAINING", "DRAINED"))
        self.wait_for_state("a0", "DRAINED")
        self.wait_running(2)
        self.assertEqual((0, 2), (self.on("a0"), self.on("a1")))
        self.assertEqual("UP", self.act("a0", "uncordon"))

    def test_a_drain_without_room_waits_until_its_deadline(self):
        self.deploy(4)
        self.assertEqual("DRAINING", self.act("a0", "drain", {"atOnce": 3, "deadline": "1h", "grace": 0}))
        shown = self.api.get(self.path("a0"))["host"]
        self.assertEqual({"tasksLeft": 2, "atOnce": 3}, {key: shown["drain"][key] for key in ("tasksLeft", "atOnce")})
        self.assertRegex(shown["drain"]["deadline"], r"^20\d\d-.*Z$")
        self.assertEqual(2, len(shown["taskList"]))
        self.assertEqual({"services"}, {task["framework"] for task in shown["taskList"]})
        self.assertEqual("DRAINING", self.act("a0", "drain"))  # without terms: no deadline
        self.assertIsNone(self.api.get(self.path("a0"))["host"]["drain"]["deadline"])
        self.act("a0", "drain", {"deadline": 0})
        self.wait_for_state("a0", "DRAINED")
        self.wait_running(2)
        self.assertEqual("UP", self.act("a0", "uncordon"))
        self.wait_running(4)

    def test_a_drain_may_be_given_up(self):
        self.deploy(4)
        self.assertEqual("DRAINING", self.act("a0", "drain"))
        self.assertEqual("UP", self.act("a0", "uncordon"))
        self.assertNotIn("drain", self.api.get(self.path("a0"))["host"])
        self.assertEqual((2, 2), (self.on("a0"), self.on("a1")))

    def test_a_host_that_is_gone_is_forgotten_and_what_it_had_is_replaced(self):
        program = self.start_hosts("b", 1)
        self.deploy(3)
        self.assertEqual(1, self.on("b0"))
        gone = self.path("b0", "gone")
        self.assert_refused(409, "POST", gone, says="connected")
        self.assertEqual("UP", self.states()["b0"])
        program.kill()
        wait_until("its end is noticed", lambda: self.states()["b0"] != "UP")
        self.assertEqual(200, self.api.raw("POST", gone)[0])
        wait_until("it is forgotten", lambda: "b0" not in self.states())
        self.wait_running(3)
        for verb in ("/gone", "/cordon", "/uncordon", "/drain"):  # again, it is nobody's
            self.assert_refused(404, "POST", gone.replace("/gone", verb), says="no host")
        self.assert_refused(404, "GET", gone.replace("/gone", ""))
        self.master.kill()
        self.api = self.master.start().api
        self.assertEqual({"a0", "a1"}, set(self.states()))

    def test_bad_input_is_told_and_changes_nothing(self):
        self.deploy(1)
        for method, verb in (("GET", ""), *(("POST", verb) for verb in ("cordon", "uncordon", "drain", "gone"))):
            for nobody in ("nobody", "%00", "..", "x" * 5000, "%F0%9F%92%A9"):
                with self.subTest(verb=verb, nobody=nobody[:10]):
                    status, _, _ = self.api.raw(method, f"{HOSTS}/{nobody}" + (f"/{verb}" if verb else ""))
                    self.assertIn(status, (400, 404, 405, 414, 501))
        self.assert_refused(404, "POST", f"{HOSTS}/nobody/drain", says="no host with id nobody")
        drain = self.path("a0", "drain")
        for body, says in ((b"{", "JSON"), (b"[]", "object"), (b"7", "object"), (b'"10m"', "object"), (b"\xff\xfe", "JSON"),
                           (b'{"grace":NaN}', "JSON"), (b'{"grace":1e999}', "JSON"), (b"[" * 100_000, "JSON"),
                           ({"grace": "soon"}, "/grace"), ({"grace": -1}, "/grace"), ({"grace": True}, "/grace"),
                           ({"deadline": "31d"}, "/deadline"), ({"deadline": 1e300}, "/deadline"),
                           ({"deadline": [5]}, "/deadline"), ({"atOnce": 0}, "/atOnce"), ({"atOnce": 1.5}, "/atOnce"),
                           ({"atOnce": "3"}, "/atOnce"), ({"atOnce": 2 ** 64}, "/atOnce"), ({"atOnce": None}, "/atOnce"),
                           ({"rate": 1}, "/rate")):
            with self.subTest(body=str(body)[:40]):
                self.assert_refused(400, "POST", drain, body, says)
        for method, path in (("GET", drain), ("DELETE", self.path("a0")), ("PUT", self.path("a0", "cordon"))):
            self.assertIn(self.api.raw(method, path)[0], (405, 501), (method, path))
        self.assertEqual(401, self.api.raw("POST", drain, headers={"Authorization": "Bearer wrong"})[0])
        self.assertEqual({"a0": "UP", "a1": "UP"}, self.states())
        self.wait_running(1)


class RolesTest(OperatorsTest):
    def role(self, name):
        return next(role for role in self.api.get(ROLES)["roles"] if role["role"] == name)

    def test_settings_are_shown_in_each_list_and_kept(self):
        settings = {"weight": 3, "quota": {"cpus": 1.5, "mem": 64}, "preemption": True, "placement": "binpack"}
        answer = self.api.put(f"{ROLES}/team/web", settings)
        self.assertEqual(settings, {key: answer[key] for key in settings})
        self.api.put("/methos/v1/weights/batch", {"weight": 0.5})
        self.api.put("/methos/v1/weights/other", 7)
        self.api.put("/methos/v1/quota/batch", {"gpus": 2})
        for _ in range(2):
            self.assertEqual(settings, {key: self.role("team/web")[key] for key in settings})
            weights = self.api.get("/methos/v1/weights")["weights"]
            self.assertEqual((3, 0.5, 7), tuple(weights[role] for role in ("team/web", "batch", "other")))
            self.assertEqual({"team/web": settings["quota"], "batch": {"gpus": 2}},
                             self.api.get("/methos/v1/quota")["quota"])
            self.master.kill()
            self.api = self.master.start().api
        self.api.put(f"{ROLES}/team/web", {"weight": 4})  # what is not named stays
        self.assertEqual({**settings, "weight": 4}, {key: self.role("team/web")[key] for key in settings})
        self.api.delete("/methos/v1/quota/team/web")
        self.assertEqual({}, self.role("team/web")["quota"])

    def test_a_role_gets_no_more_than_its_quota(self):
        self.api.put("/methos/v1/quota/%2A", {"cpus": 3})
        self.deploy(4, running=3)
        self.assertEqual(3, self.role("*")["allocated"]["cpus"])
        self.api.delete("/methos/v1/quota/%2A")
        self.wait_running(4)

    def test_bad_input_is_told_and_changes_nothing(self):
        before = self.api.get(ROLES)
        for part, body, says in (
                ("weights", {"weight": 0}, "/weight"), ("weights", {"weight": -1}, "/weight"), ("weights", 1e7, "/weight"),
                ("weights", "2", "/weight"), ("weights", b"NaN", "JSON"), ("weights", None, "JSON"),
                ("weights", b"1e999", "JSON"), ("quota", {"cpu": 1}, "/quota/cpu"), ("quota", {"cpus": -1}, "/quota/cpus"),
                ("quota", {"cpus": "1"}, "/quota/cpus"), ("quota", {"mem": 1e300}, "/quota/mem"),
                ("quota", {"gpus": 0.5}, "/quota/gpus"), ("quota", [], "/quota"), ("roles", [], "object"),
                ("roles", {"weigth": 2}, "/weigth"), ("roles", {"preemption": "yes"}, "/preemption"),
                ("roles", {"placement": "pack"}, "/placement"), ("roles", {"weight": 2, "quota": 7}, "/quota"),
                ("roles", b'{"weight":2', "JSON")):
            with self.subTest(part=part, body=str(body)[:40]):
                self.assert_refused(400, "PUT", f"/methos/v1/{part}/web", body, says)
        for name in ("-web", "a%20b", "%5C", "x" * 256):
            with self.subTest(name=name[:10]):
                self.assert_refused(400, "PUT", f"{ROLES}/{name}", {"weight": 2}, "role")
        self.assertIn(self.api.raw("POST", ROLES, b"{}")[0], (405, 501))
        self.assertEqual(before, self.api.get(ROLES))


class CommandLineTest(OperatorsTest):
    def methos(self, code, *words):
        """Its output; it ends with this code."""
        environment = {"METHOS_URL": self.master.url, "PATH": os.environ["PATH"], "HOME": str(self.folder),
                       "METHOS_TOKEN": (self.master.data_dir / "admin.token").read_text().strip()}
        done = subprocess.run([CLI_BINARY, *map(str, words)], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(code, done.returncode, (words, done.stdout, done.stderr))
        return done

    def test_cordon_inspect_and_uncordon(self):
        self.deploy(2)
        self.assertEqual("host a0 is CORDONED\n", self.methos(DONE, "hosts", "cordon", "a0").stdout)
        identity = self.hosts()["a0"]["id"]
        shown = self.methos(DONE, "hosts", "inspect", identity[:12]).stdout
        self.assertIn(f"a0  {identity}  CORDONED", shown)
        self.assertIn("services", shown)
        self.assertIn("TASK_RUNNING", shown)
        document = json.loads(self.methos(DONE, "-o", "json", "hosts", "inspect", "a0").stdout)
        self.assertEqual(1, len(document["host"]["taskList"]))
        self.assertEqual("CORDONED", document["host"]["state"])
        changed = json.loads(self.methos(DONE, "hosts", "uncordon", "a0", "-o", "json").stdout)
        self.assertEqual("UP", changed["host"]["state"])
        self.assertEqual(identity + "\n", self.methos(DONE, "-o", "name", "hosts", "uncordon", "a0").stdout)

    def test_drain_waits_until_nothing_is_left(self):
        self.deploy(2)
        done = self.methos(DONE, "hosts", "drain", "a0", "--grace", "1s", "--deadline", "10m", "--at-once", "1")
        self.assertEqual("host a0 is drained\n", done.stdout)
        self.assertEqual(0, self.on("a0"))
        self.methos(DONE, "hosts", "uncordon", "a0")
        self.deploy(4)
        late = self.methos(WAITED_TOO_LONG, "hosts", "drain", "a1", "--timeout", "5s")
        self.assertIn("a1 is not drained", late.stderr)
        self.assertEqual("DRAINING", self.states()["a1"])
        self.methos(DONE, "hosts", "drain", "a1", "--deadline", "0s", "--detach")
        self.wait_for_state("a1", "DRAINED")

    def test_gone_is_refused_while_the_executor_is_connected(self):
        refused = self.methos(FAILED, "hosts", "gone", "a0")
        self.assertIn("cannot mark host a0 as gone", refused.stderr)
        self.assertIn("stop its executor first", refused.stderr)
        program = self.start_hosts("b", 1)
        program.kill()
        wait_until("its end is noticed", lambda: self.states()["b0"] != "UP")
        self.assertEqual("host b0 is forgotten\n", self.methos(DONE, "hosts", "gone", "b0").stdout)
        self.methos(NOT_FOUND, "hosts", "gone", "b0")

    def test_a_wrong_host_or_flag_is_told_before_anything_changes(self):
        for verb in ("inspect", "cordon", "uncordon", "drain", "gone"):
            with self.subTest(verb=verb):
                self.assertIn("nobody", self.methos(NOT_FOUND, "hosts", verb, "nobody").stderr)
                self.methos(USAGE, "hosts", verb)
        self.start_hosts("a", 1)  # another a0
        self.assertIn("a0", self.methos(USAGE, "hosts", "cordon", "a0").stderr)
        self.methos(USAGE, "hosts", "drain", "a1", "--at-once", "0")
        self.methos(USAGE, "hosts", "drain", "a1", "--at-once", "some")
        self.assertIn("grace", self.methos(USAGE, "hosts", "drain", "a1", "--grace", "soon").stderr)
        self.assertEqual({"UP"}, set(self.states().values()))


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    MASTER_BINARY, CLI_BINARY, BUS_PROTO = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
