"""A framework on npm's mesos-framework, unmodified (mesos_framework/framework.js), on a real master, executors and
Docker: it subscribes, launches tasks, sees them run, kills one, reconciles, is replaced by another process under the
same framework id, and tears down. Two of them share the hosts, and stand beside the services framework.

What runs is asked of the Engines, never only of Methos. The npm packages come by `npm ci` from the lock file, into a
folder of this test's own.
"""

import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.clients import npm_framework
from tests.clients.npm_framework import NpmFramework
from tests.support import lab as lab_module
from tests.support.cluster_case import PAGE_COMMAND, SETTLE_SECONDS, SKIPPED, ClusterCase
from tests.support.lab import HUB_IP, UPSTREAM_NAME
from tests.support.rest import Rest, wait_until

PACKAGES = None  # the folder with node_modules
END_STATES = {"TASK_KILLED", "TASK_FAILED", "TASK_FINISHED", "TASK_LOST", "TASK_ERROR"}


def why_not():
    return lab_module.why_not() or npm_framework.why_not()


class MesosFrameworkTest(ClusterCase):
    hosts_wanted = 2

    def framework(self, name, **wanted):
        """Started inside the lab; with other numbers where `wanted` says so."""
        wanted = {"host": HUB_IP, "port": 8080, "token": self.lab.token, "name": name,
                  "image": f"{UPSTREAM_NAME}/lib/demo:1", "command": PAGE_COMMAND, "cpus": 0.1, "ports": 1, **wanted}
        framework = NpmFramework(PACKAGES, self.lab.folder, wanted)
        self.addCleanup(framework.kill)
        return framework

    def containers_of(self, framework_id):
        """Ids of the running containers of a framework, by task, from the Engines."""
        return {container["Config"]["Labels"]["io.methos.task"]: container["Id"]
                for host in self.lab.hosts for container in host.containers()
                if container["Config"]["Labels"].get("io.methos.framework") == framework_id}

    def end(self, framework, framework_id):
        framework.do("teardown")
        wait_until("no container of it is left", lambda: not self.containers_of(framework_id), SETTLE_SECONDS)

    def operator(self, call):
        return self.lab.api.post("/api/v1", {"type": call})

    def test_launch_run_kill_reconcile_and_tear_down(self):
        framework = self.framework("one", instances=3)
        framework_id = framework.wait_subscribed()
        framework.wait_running(3)
        self.assertEqual(framework.running(), set(self.containers_of(framework_id)))
        self.assertEqual(set(framework.running()), {
            task["task_id"]["value"] for task in self.operator("GET_TASKS")["get_tasks"]["tasks"]})

        victim = sorted(framework.running())[0]
        framework.do("kill", task=victim, agent=framework.agent_of(victim))
        framework.wait("the task is killed", lambda: framework.states()[victim] == "TASK_KILLED")
        self.assertEqual(framework.running(), set(self.containers_of(framework_id)))

        told = len(framework.seen("update"))
        framework.do("reconcile")
        framework.wait("both are told of", lambda: {
            event["task"] for event in framework.seen("update")[told:]} >= framework.running())
        told = len(framework.seen("update"))
        framework.do("reconcile", task="nobody", agent=framework.agent_of(victim))
        framework.wait("the unknown is told of", lambda: framework.states().get("nobody") in END_STATES)
        self.assertTrue(framework.seen("sent_acknowledge"))

        self.end(framework, framework_id)
        self.assertFalse([event for event in framework.seen("error") if "accepted properly" in event["message"]])
        self.assertIn(framework_id, [
            entry["framework_info"]["id"]["value"]
            for entry in self.operator("GET_FRAMEWORKS")["get_frameworks"]["completed_frameworks"]])

    def test_another_process_takes_over_what_runs(self):
        first = self.framework("over", instances=2)
        framework_id = first.wait_subscribed()
        first.wait_running(2)
        before = self.containers_of(framework_id)
        first.kill()
        second = self.framework("over", frameworkId=framework_id)
        self.assertEqual(framework_id, second.wait_subscribed())
        second.do("reconcile")
        second.wait_running(2)
        self.assertEqual(before, self.containers_of(framework_id), "a task did not survive its scheduler")
        self.end(second, framework_id)

    def test_the_connection_outlives_its_silence(self):
        """mesos-framework gives up after 10 s without a byte; heartbeats come sooner."""
        framework = self.framework("quiet")
        framework_id = framework.wait_subscribed()
        framework.wait("heartbeats come", lambda: len(framework.seen("heartbeat")) >= 3)
        self.assertEqual(1, len(framework.seen("subscribed")))
        self.assertEqual([], framework.seen("error"))
        self.end(framework, framework_id)

    def test_two_frameworks_and_the_services_share_the_hosts(self):
        """Eight cpus: two greedy frameworks and an app, each gets what it asked for, and none waits for the others."""
        first = self.framework("left", instances=4, cpus=0.5)
        second = self.framework("right", instances=4, cpus=0.5)
        app = self.deploy("beside", 3)
        ids = [first.wait_subscribed(), second.wait_subscribed()]
        first.wait_running(4)
        second.wait_running(4)
        self.assert_serves(app)
        state = Rest(self.lab.api.base, self.lab.api.headers).get("/state")
        names = {framework["name"]: len(framework["tasks"]) for framework in state["frameworks"]}
        self.assertEqual({"left": 4, "right": 4, "services": 3},
                         {name: names[name] for name in ("left", "right", "services")})
        self.end(first, ids[0])
        self.end(second, ids[1])


if __name__ == "__main__":
    missing = why_not()
    if not missing:
        PACKAGES = pathlib.Path(tempfile.mkdtemp(prefix="methos-npm-"))
        missing = npm_framework.install_packages(PACKAGES)
    if missing:
        print(f"skipped: {missing}", flush=True)
        sys.exit(SKIPPED)
    try:
        unittest.main(verbosity=2)
    finally:
        shutil.rmtree(PACKAGES, ignore_errors=True)
