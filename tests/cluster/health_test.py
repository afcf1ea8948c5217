#!/usr/bin/env python3
"""Health checks on a real dockerd: HTTP and TCP to containers behind a bridge and on the host's network, commands in
containers; results in the API, ill instances replaced, and an executor that is killed goes on checking what it finds."""

import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase, app_path
from tests.support.lab import UPSTREAM_NAME
from tests.support.rest import wait_until

SLOW_COMMAND = "test ! -f /tmp/hang || sleep 1000; true"  # a child of the shell: ended with it


def check(protocol, **more):
    """As quick as Marathon's whole seconds allow, and without patience."""
    return {"protocol": protocol, "delaySeconds": 0, "gracePeriodSeconds": 0, "intervalSeconds": 1,
            "timeoutSeconds": 5, **more}


class HealthTest(ClusterCase):
    hosts_wanted = 1
    numbers = itertools.count(1)

    def setUp(self):
        super().setUp()
        self.host = self.lab.hosts[0]

    def deploy_with(self, *checks, **more):
        return self.deploy(f"health-{next(self.numbers)}", 1, healthChecks=list(checks), **more)

    def app(self, app):
        return self.lab.api.get(app_path(app))["app"]

    def wait_health(self, app, alive):
        """The app's counts, and the results of its one task."""
        def agrees():
            seen, tasks = self.app(app), self.tasks(app)
            return ((seen["tasksHealthy"], seen["tasksUnhealthy"]) == ((1, 0) if alive else (0, 1))
                    and len(tasks) == 1 and [one["alive"] for one in tasks[0]["healthCheckResults"]] == [alive])
        wait_until(f"{app} is {'healthy' if alive else 'unhealthy'}", agrees, SETTLE_SECONDS)

    def in_container(self, app, command):
        """Runs a shell command in the app's one container; returns without waiting for its end."""
        container = self.containers(app)[0]["Id"]
        made = self.host.docker.post(f"/containers/{container}/exec", {"Cmd": ["/bin/sh", "-c", command]})
        self.host.docker.post(f"/exec/{made['Id']}/start", {"Detach": True})

    def wait_replaced(self, app, old):
        wait_until(f"{old} of {app} is replaced", lambda: (
            (tasks := self.running_tasks(app)) and all(task["id"] != old for task in tasks)), SETTLE_SECONDS)

    def test_an_ill_instance_behind_a_bridge_is_replaced(self):
        app = self.deploy_with(check("HTTP", path="/", maxConsecutiveFailures=2, gracePeriodSeconds=60))
        self.wait_health(app, True)
        old = self.tasks(app)[0]["id"]
        self.in_container(app, "rm /www/index.html")  # from now on: 404
        self.wait_replaced(app, old)
        failure = self.app(app)["lastTaskFailure"]
        self.assertEqual((old, "TASK_KILLED"), (failure["taskId"], failure["state"]))
        self.assertIn("HTTP 404", failure["message"])
        self.wait_health(app, True)

    def test_checks_reach_the_hosts_own_network(self):
        for one in (check("HTTP", path="/"), check("TCP")):
            with self.subTest(one["protocol"]):
                app = self.deploy_with(
                    one, cmd="mkdir -p /www; echo hi > /www/index.html; exec httpd -f -p $PORT0 -h /www",
                    networks=[{"mode": "host"}], portDefinitions=[{"port": 0}],
                    container={"type": "DOCKER", "docker": {"image": f"{UPSTREAM_NAME}/lib/demo:1"}})
                self.wait_health(app, True)

    def test_commands_say_yes_and_no_and_never_kill_when_told_so(self):
        app = self.deploy_with(check("COMMAND", command={"value": "test -f /tmp/well"}, maxConsecutiveFailures=0))
        self.wait_health(app, False)
        before = self.snapshot(app)
        self.in_container(app, "touch /tmp/well")
        self.wait_health(app, True)
        self.host.executor.kill()
        self.host.start_executor()
        self.wait_hosts_up()
        self.wait_health(app, True)
        self.in_container(app, "rm /tmp/well")
        self.wait_health(app, False)
        self.assertEqual(before, self.snapshot(app))

    def test_a_command_that_hangs_is_a_failure_and_is_ended(self):
        app = self.deploy_with(check("COMMAND", command={"value": SLOW_COMMAND}, timeoutSeconds=1,
                                     maxConsecutiveFailures=0))
        self.wait_health(app, True)
        self.in_container(app, "touch /tmp/hang")
        self.wait_health(app, False)
        container = self.containers(app)[0]["Id"]
        self.in_container(app, "rm /tmp/hang")
        self.wait_health(app, True)
        wait_until("no hanging command is left", lambda: not any(
            "sleep 1000" in row[-1] for row in self.host.docker.get(f"/containers/{container}/top")["Processes"]),
                   SETTLE_SECONDS)


if __name__ == "__main__":
    cluster_case.main()
