"""What dockerd, containerd and the machine do to containers is told as what it is, and is not held against the app: a
dockerd without live-restore that ends or is killed, a reboot, a killed containerd, a killed shim.

Each app here has a launch delay of an hour after a failure of its own: one that comes back has not been blamed."""

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase, parent_of
from tests.support.lab_guardian import is_zombie  # or gone; where process 1 collects none they stay
from tests.support.rest import wait_until

BLAMED_SECONDS = 3600
BY_DOCKER = "restart of Docker"
ENDS = {  # what a program may make of the SIGTERM that Docker sends
    "ends-well": "trap 'exit 0' TERM; sleep 1000 & wait",
    "ends-badly": "trap 'exit 7' TERM; sleep 1000 & wait",
    "terminated": "exec sleep 1000",
    "killed": "trap '' TERM; sleep 1000 & wait; sleep 1000",
}


class EngineFaultsCase(ClusterCase):
    hosts_wanted = 1

    @property
    def host(self):
        return self.lab.hosts[0]

    def deploy_commands(self, prefix, commands):
        return {self.deploy(f"{prefix}-{name}", 1, cmd=command, backoffSeconds=BLAMED_SECONDS,
                            maxLaunchDelaySeconds=BLAMED_SECONDS): name for name, command in commands.items()}

    def container_of(self, app):
        return self.containers(app)[0]

    def assert_blames_docker(self, apps, before):
        """Every app runs again in another container, and its last end is said to be Docker's doing."""
        for app, name in apps.items():
            self.wait_running(app, 1)
            self.assertNotEqual(before[app], self.container_of(app)["Id"], name)
            self.assertRegex(self.last_failure(app), BY_DOCKER, name)


class WithoutLiveRestoreTest(EngineFaultsCase):
    live_restore = False

    def lose(self, prefix, commands, how):
        """Deploys one app per command, has `how` end Docker, starts it again and looks who is blamed."""
        apps = self.deploy_commands(prefix, commands)
        before = {app: self.container_of(app)["Id"] for app in apps}
        how()
        self.host.start_dockerd()
        if not self.host.executor.alive():
            self.host.start_executor()
        self.host.wait_dockerd()
        self.wait_hosts_up()
        self.assert_blames_docker(apps, before)

    def end_in_order(self):
        self.assertEqual(0, self.host.dockerd.stop())
        self.wait_host_state(self.host, "DOCKER_DOWN")

    def test_a_dockerd_that_ends_in_order_stops_its_containers_and_the_apps_are_not_blamed(self):
        self.lose("ended", ENDS, self.end_in_order)

    def test_a_dockerd_that_ends_counts_as_down_while_it_still_waits_for_its_containers(self):
        self.deploy_commands("slow", {"killed": ENDS["killed"]})
        self.host.dockerd.child.send_signal(signal.SIGTERM)
        self.wait_host_state(self.host, "DOCKER_DOWN")
        self.assertTrue(self.host.dockerd.alive(), "it ended before the state was looked at")
        self.host.dockerd.child.wait()
        self.host.start_dockerd()
        self.host.wait_dockerd()
        self.wait_hosts_up()

    def test_what_a_starting_dockerd_ends_is_its_own_doing(self):
        self.lose("killed", ENDS, self.host.kill_dockerd)

    def test_what_a_starting_dockerd_ends_is_its_own_doing_to_a_new_executor_too(self):
        def kill_both():
            self.host.executor.kill()
            self.host.kill_dockerd()
        self.lose("both", ENDS, kill_both)

    def test_what_an_ending_dockerd_stops_unseen_is_its_own_doing(self):
        def end_both():
            self.host.executor.stop()
            self.host.dockerd.stop()
        self.lose("unseen", {name: ENDS[name] for name in ("terminated", "killed")}, end_both)

    def test_who_is_stopped_by_hand_while_docker_is_well_was_not_stopped_by_it(self):
        apps = self.deploy_commands("by-hand", {"terminated": ENDS["terminated"]})
        app = next(iter(apps))
        self.host.docker.post(f"/containers/{self.container_of(app)['Id']}/stop")
        wait_until("its end is told", lambda: self.last_failure(app), SETTLE_SECONDS)
        self.assertRegex(self.last_failure(app), "SIGTERM")
        self.assertNotRegex(self.last_failure(app), BY_DOCKER)


class WithLiveRestoreTest(EngineFaultsCase):
    def test_a_machine_that_lost_its_power_is_blamed_and_not_the_apps(self):
        apps = self.deploy_commands("power", {"terminated": ENDS["terminated"]})
        before = {app: self.container_of(app)["Id"] for app in apps}
        processes = [container["State"]["Pid"] for app in apps for container in self.containers(app)]
        self.host.executor.kill()
        self.host.kill_dockerd()
        for pid in {parent_of(pid) for pid in processes} | set(processes):
            os.kill(pid, signal.SIGKILL)
        self.host.start_dockerd()
        self.host.start_executor()
        self.host.wait_dockerd()
        self.wait_hosts_up()
        self.assert_blames_docker(apps, before)

    def test_what_ends_by_itself_while_docker_is_dead_is_its_own_end(self):
        app = self.deploy("ended-unseen", 1, cmd="trap 'exit 7' USR1; sleep 1000 & wait")
        before = self.container_of(app)
        self.host.kill_dockerd()
        os.kill(before["State"]["Pid"], signal.SIGUSR1)  # docker-init hands it on
        wait_until("its process is gone", lambda: is_zombie(before["State"]["Pid"]),
                   SETTLE_SECONDS)
        self.host.start_dockerd()
        self.host.wait_dockerd()
        wait_until("its end is told", lambda: self.last_failure(app), SETTLE_SECONDS)
        self.assertRegex(self.last_failure(app), "exited with code 7")
        self.wait_running(app, 1)
        self.assertNotEqual(before["Id"], self.container_of(app)["Id"])

    def test_a_killed_containerd_fails_no_launch_and_no_task(self):
        kept = self.deploy("containerd-kept", 1)
        before = self.snapshot(kept)
        pid = int((self.host.folder / "exec/containerd/containerd.pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGKILL)  # dockerd starts another
        launched = self.deploy("containerd-launched", 1, backoffSeconds=BLAMED_SECONDS,
                               maxLaunchDelaySeconds=BLAMED_SECONDS)
        self.assertEqual("", self.last_failure(launched))
        self.assertEqual(before, self.snapshot(kept))

    def test_a_killed_shim_ends_its_task_once(self):
        app = self.deploy("shim-killed", 1)
        before = self.container_of(app)
        os.kill(parent_of(before["State"]["Pid"]), signal.SIGKILL)
        wait_until("its end is told", lambda: self.last_failure(app), SETTLE_SECONDS)
        self.assertRegex(self.last_failure(app), "137")  # what inspect says; the event says 255
        self.wait_running(app, 1)
        self.assertNotEqual(before["Id"], self.container_of(app)["Id"])
        wait_until("its process is gone", lambda: is_zombie(before["State"]["Pid"]), SETTLE_SECONDS)

    def test_a_container_that_was_restarted_unseen_is_found_where_it_is_now(self):
        app = self.deploy("restarted-unseen", 1)
        task = self.running_tasks(app)[0]
        container = self.container_of(app)
        self.host.executor.kill()
        self.host.docker.post(f"/containers/{container['Id']}/restart?t=1")
        self.host.start_executor()
        self.wait_hosts_up()

        def is_told():
            now = self.running_tasks(app)[0]
            address = self.container_of(app)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
            return (now["id"] == task["id"] and now["startedAt"] != task["startedAt"]
                    and now["ipAddresses"][0]["ipAddress"] == address)
        wait_until("the same task is told at its new address, with its new start", is_told, SETTLE_SECONDS)


if __name__ == "__main__":
    cluster_case.main()
