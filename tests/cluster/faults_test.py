"""Kill anything: executors, the master, Engines and links, at rest and in the middle of work. What ran goes on, what is
lost is replaced, and nothing runs twice. Each test compares the Engines' own record (process id, start time, restart
count, dead containers too) from before and after."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase, app_path
from tests.support.rest import wait_until


class FaultsTest(ClusterCase):
    def test_a_killed_executor_comes_back_to_its_containers(self):
        app = self.deploy("executor-killed", 6)
        before = self.snapshot(app)
        host = self.lab.hosts[0]
        host.executor.kill()
        self.wait_host_state(host, "RESTARTING")
        host.start_executor()
        self.wait_hosts_up()
        self.wait_running(app, 6)
        self.assertEqual(before, self.snapshot(app))
        self.assert_serves(app)

    def test_an_instance_that_died_while_the_executor_was_away_is_replaced(self):
        app = self.deploy("died-unseen", 3)
        host = next(host for host in self.lab.hosts if self.containers(app, [host]))
        victim = self.containers(app, [host])[0]["Id"]
        kept = {identity: seen for identity, seen in self.snapshot(app).items() if identity != victim}
        host.executor.kill()
        host.docker.post(f"/containers/{victim}/kill?signal=KILL")
        host.start_executor()
        wait_until("it is replaced", lambda: (
            len(running := {found["Id"] for found in self.containers(app)}) == 3 and victim not in running),
            SETTLE_SECONDS)
        self.wait_running(app, 3)
        after = self.snapshot(app)
        self.assertEqual(kept, {identity: after.get(identity) for identity in kept})

    def test_a_stopped_executor_leaves_its_containers_running(self):
        app = self.deploy("executor-stopped", 3)
        before = self.snapshot(app)
        host = self.lab.hosts[1]
        self.assertEqual(0, host.executor.stop())
        self.wait_host_state(host, "RESTARTING")
        self.assertEqual(before, self.snapshot(app))
        host.start_executor()
        self.wait_hosts_up()
        self.wait_running(app, 3)
        self.assertEqual(before, self.snapshot(app))

    def test_a_killed_master_forgets_nothing_and_starts_nothing_twice(self):
        app = self.deploy("master-killed", 6)
        before = self.snapshot(app)
        tasks = {task["id"] for task in self.running_tasks(app)}
        self.lab.master.kill()
        self.lab.start_master()
        self.wait_hosts_up()
        self.wait_running(app, 6)
        self.assertEqual(before, self.snapshot(app))
        self.assertEqual(tasks, {task["id"] for task in self.running_tasks(app)})
        self.assert_serves(app)

    def test_a_master_killed_in_the_middle_of_a_deployment_finishes_it_once(self):
        app = self.definition("master-killed-early", 6)
        self.lab.api.post("/v2/apps", app)
        self.lab.master.kill()  # at once: some launches are durable, some sent, some neither
        self.lab.start_master()
        self.wait_running(app["id"], 6)
        self.look_often("six run, no more", lambda: len(self.containers(app["id"])) == 6)
        self.assert_one_container_per_task(app["id"])
        made = self.containers(app["id"], every=True)
        self.assertEqual({"1"}, {container["Config"]["Labels"]["io.methos.attempt"] for container in made})
        self.assert_serves(app["id"])

    def test_a_change_made_before_the_master_is_killed_is_remembered(self):
        app = self.deploy("scaled-then-killed", 2)
        self.lab.api.put(app_path(app), {"instances": 4})
        self.lab.master.kill()
        self.lab.start_master()
        self.wait_running(app, 4)
        self.assert_one_container_per_task(app)

    def test_instances_of_a_host_that_is_cut_off_come_up_elsewhere_and_none_runs_twice_after_it_returns(self):
        app = self.deploy("link-cut", 6)
        lost, others = self.lab.hosts[2], self.lab.hosts[:2]
        before = self.snapshot(app, others)
        self.assertTrue(self.containers(app, [lost]), "no instance on the host that is to be cut off")
        lost.cut_link()
        self.wait_host_state(lost, "LOST")
        wait_until("six run on the other hosts", lambda: len(self.containers(app, others)) == 6, SETTLE_SECONDS)
        after = self.snapshot(app, others)
        self.assertEqual(before, {identity: after.get(identity) for identity in before})
        lost.mend_link()
        self.wait_hosts_up()
        wait_until("six run, on all hosts together", lambda: len(self.containers(app)) == 6, SETTLE_SECONDS)
        self.look_often("six run, no more", lambda: len(self.containers(app)) == 6)
        self.assert_one_container_per_task(app)
        self.wait_running(app, 6)
        self.assert_serves(app)

    def test_a_killed_dockerd_that_returns_keeps_its_containers(self):
        app = self.deploy("dockerd-killed", 3)
        before = self.snapshot(app)
        host = self.lab.hosts[0]
        host.kill_dockerd()
        self.wait_host_state(host, "DOCKER_DOWN")
        host.start_dockerd()
        host.wait_dockerd()
        self.wait_hosts_up()
        self.wait_running(app, 3)
        self.assertEqual(before, self.snapshot(app))
        self.assert_serves(app)

    def test_executor_and_dockerd_killed_together_return_to_their_containers(self):
        app = self.deploy("both-killed", 3)
        before = self.snapshot(app)
        host = self.lab.hosts[1]
        host.executor.kill()
        host.kill_dockerd()
        self.wait_host_state(host, "RESTARTING")
        host.start_dockerd()
        host.start_executor()
        host.wait_dockerd()
        self.wait_hosts_up()
        self.wait_running(app, 3)
        self.assertEqual(before, self.snapshot(app))

    def test_a_container_that_somebody_starts_again_does_not_run_beside_its_replacement(self):
        app = self.deploy("started-by-hand", 2)
        host, container = self.one_of(app)
        host.docker.post(f"/containers/{container['Id']}/kill")
        wait_until("it is replaced", lambda: container["Config"]["Labels"]["io.methos.task"] not in
                   self.tasks_that_run(app) and len(self.tasks_that_run(app)) == 2, SETTLE_SECONDS)
        host.docker.post(f"/containers/{container['Id']}/start")
        self.wait_nothing_runs_unknown(app)
        wait_until("it is removed", lambda: container["Id"] not in self.snapshot(app), SETTLE_SECONDS)
        host, container = self.one_of(app)
        host.docker.post(f"/containers/{container['Id']}/restart")
        self.wait_nothing_runs_unknown(app)

    def one_of(self, app):
        """A host and a running container of the app on it."""
        host = next(host for host in self.lab.hosts if self.containers(app, [host]))
        return host, self.containers(app, [host])[0]

    def tasks_that_run(self, app):
        return sorted(task["id"] for task in self.running_tasks(app))

    def wait_nothing_runs_unknown(self, app):
        wait_until("what runs on the hosts is what the master knows", lambda: self.tasks_that_run(app) == sorted(
            container["Config"]["Labels"]["io.methos.task"] for container in self.containers(app)), SETTLE_SECONDS)

    def test_everything_killed_at_once_comes_back_as_it_was(self):
        app = self.deploy("all-killed", 6)
        before = self.snapshot(app)
        self.lab.master.kill()
        self.lab.proxy.kill()
        for host in self.lab.hosts:
            host.executor.kill()
        for host in self.lab.hosts:
            host.start_executor()
        self.lab.start_proxy()
        self.lab.start_master()
        self.wait_hosts_up()
        self.wait_running(app, 6)
        self.assertEqual(before, self.snapshot(app))


if __name__ == "__main__":
    cluster_case.main()
