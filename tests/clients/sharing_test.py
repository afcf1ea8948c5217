"""How frameworks share hosts that are too small for what they wish for together: two programs on npm's mesos-framework,
unmodified, in roles of weights 1 and 2; and the services framework beside a greedy one. Hosts are emulated
(emulated_hosts.py), so no Docker is needed; what is counted is what the hosts say they run, never only what Methos says.

A framework here asks again for what was killed, so each kill is a turn of the allocator's that both may win.

Usage: sharing_test.py MASTER_BINARY BUS_PROTO
"""

import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.clients import npm_framework
from tests.clients.npm_framework import NpmFramework
from tests.clients.programs import MasterProgram, Program
from tests.support.rest import wait_until

SKIPPED = 77
DEBIAN_PYTHON = "/usr/bin/python3"  # which has Debian's modules, whatever comes first on PATH
HOSTS = 9  # of one cpu and 4096 MB each: as many tasks fit, and nothing is left beside one that would be offered
SETTLE_SECONDS = 60
HALVES = (HOSTS // 2, HOSTS - HOSTS // 2)
CORRECTIONS_MAX = 10
ATTEMPTS_MAX = 3
MASTER_BINARY = BUS_PROTO = PACKAGES = None


def why_not():
    if not shutil.which("protoc"):
        return "protoc is missing; apt-get install protobuf-compiler"
    if subprocess.run([DEBIAN_PYTHON, "-c", "import zmq, google.protobuf"], capture_output=True, check=False).returncode:
        return "apt-get install python3-zmq python3-protobuf"
    return npm_framework.why_not()


class SharingTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-sharing-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.master = MasterProgram(MASTER_BINARY, self.folder)
        self.addCleanup(self.master.kill)
        self.master.start()
        script = pathlib.Path(__file__).with_name("emulated_hosts.py")
        self.hosts = Program([DEBIAN_PYTHON, script, self.master.data_dir / "join.token", "h", HOSTS, 1,
                              pathlib.Path(BUS_PROTO).parent], self.folder / "hosts.log")
        self.addCleanup(self.hosts.kill)
        self.frameworks = {}

    def framework(self, name, **wanted):
        """A subscribed one that wants as many tasks as there are hosts, each of a whole one."""
        wanted = {"host": "127.0.0.1", "port": self.master.port, "name": name, "role": name, "instances": HOSTS,
                  "token": (self.master.data_dir / "admin.token").read_text().strip(), "image": "none",
                  "command": "serve", "cpus": 1, "mem": 4096, "restartStates": ["TASK_KILLED", "TASK_FAILED", "TASK_LOST"], **wanted}
        framework = self.frameworks[name] = NpmFramework(PACKAGES, self.folder, wanted)
        self.addCleanup(framework.kill)
        framework.wait_subscribed()
        return framework

    def host_of_each(self):
        """Of what the hosts say they run. No task may be launched twice, and no host have more than fits."""
        there = {}
        for line in self.hosts.log.read_text().splitlines():
            event = json.loads(line) if line.startswith("{") and line.endswith("}") else {"event": None}
            if event["event"] == "launched":
                self.assertNotIn(event["task"], there)
                there[event["task"]] = event["host"]
                self.assertEqual(len(there), len(set(there.values())), "a host has more than fits")
            elif event["event"] == "ended":
                del there[event["task"]]
        return there

    def counts(self):
        """Running tasks by who owns them: the part of their name before the first dot."""
        return dict(collections.Counter(task.split(".")[0] for task in self.host_of_each()))

    def wait_for(self, **counts):
        wait_until(f"the hosts run {counts}", lambda: self.counts() == counts or not self.tell(), SETTLE_SECONDS)

    def tell(self):
        """Makes the counts part of what a wait says when it ends in vain."""
        raise ValueError(f"{self.counts()} of {HOSTS}")

    def churn(self, name, count=HOSTS):
        """Kills so many of what that framework runs; who has how much when each host is taken again."""
        framework = self.frameworks[name]
        has = sorted(task for task in self.host_of_each() if task.split(".")[0] == name)
        framework.wait_running(len(has))
        killed = has[:count]
        for task in killed:
            framework.do("kill", task=task, agent=framework.agent_of(task))
        after = wait_until("every host is taken again", lambda: (there := self.host_of_each()) and len(there) == HOSTS
                           and not set(killed) & set(there) and there, SETTLE_SECONDS)
        counts = dict(collections.Counter(task.split(".")[0] for task in after))
        self.wait_for(**counts)
        return counts

    def assert_shared(self, victim, **fair):
        """Once all that the victim runs is killed, this is who has how much. A client that has not noticed yet what it lost
        declines what it is owed, and the other has that: who has too much loses it one by one, which leads nowhere when
        it is the master that shares out wrongly."""
        counts = self.churn(victim)
        for _ in range(CORRECTIONS_MAX):
            if counts == fair:
                break
            counts = self.churn(max(fair, key=lambda name: counts.get(name, 0) - fair[name]), 1)
        self.assertEqual(fair, counts)

    def test_shares_follow_the_weights_of_the_roles(self):
        self.master.api.put("/methos/v1/weights/heavy", {"weight": 2})
        light = self.framework("light")
        self.wait_for(light=HOSTS)  # alone, it may have everything
        light.wait_running(HOSTS)
        self.framework("heavy")
        self.assert_shared("light", light=3, heavy=6)
        self.assert_shared("heavy", light=3, heavy=6)  # what is free again goes to who is owed it

        self.master.api.put("/methos/v1/weights/heavy", {"weight": 0.5})
        self.assert_shared("heavy", light=6, heavy=3)

    def test_services_and_a_greedy_framework_do_not_starve_each_other(self):
        greedy = self.framework("greedy", role=None)  # in the role that apps are in
        self.wait_for(greedy=HOSTS)
        greedy.wait_running(HOSTS)
        self.master.api.post("/v2/apps", {"id": "/app", "cmd": "serve", "instances": 0, "cpus": 1, "mem": 4096,
                                          "container": {"type": "DOCKER", "docker": {"image": "none"}}})
        for _ in range(ATTEMPTS_MAX):  # again when the client was late and declined what it was owed
            self.master.api.put("/v2/apps/app", {"instances": HOSTS})
            counts = self.churn("greedy")
            if counts.get("app") in HALVES:
                break
            self.master.api.put("/v2/apps/app", {"instances": 0})
            self.wait_for(greedy=HOSTS)
        self.assertIn(counts.get("app"), HALVES, counts)

        self.master.api.put("/v2/apps/app", {"instances": 1})
        self.wait_for(app=1, greedy=8)  # what the app gave up is offered
        self.master.api.put("/v2/apps/app", {"instances": 3})
        greedy.wait_running(8)
        victim = sorted(greedy.running())[0]
        greedy.do("kill", task=victim, agent=greedy.agent_of(victim))
        self.wait_for(app=2, greedy=7)  # and goes to who has less of what is free


if __name__ == "__main__":
    MISSING = why_not()
    if not MISSING:
        PACKAGES = pathlib.Path(tempfile.mkdtemp(prefix="methos-npm-"))
        MISSING = npm_framework.install_packages(PACKAGES)
    if MISSING:
        print(f"skipped: {MISSING}", flush=True)
        sys.exit(SKIPPED)
    MASTER_BINARY, BUS_PROTO = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    try:
        unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
    finally:
        shutil.rmtree(PACKAGES, ignore_errors=True)
