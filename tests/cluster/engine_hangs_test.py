"""Docker that hangs for a while (dockerd, and containerd below it, stopped by SIGSTOP), that is restarted in order, a machine
that is rebooted, and an executor whose wall clock jumps: nothing is started twice, nothing that can go on is ended, and
what waited goes on by itself.

Each task writes down that it began, so that a second start is seen whatever became of its container."""

import contextlib
import datetime
import os
import pathlib
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase, app_path, parent_of
from tests.support.lab_guardian import is_zombie, unmount_below
from tests.support.rest import wait_until

JOURNAL = "/journal"  # in the containers
WRITE_AND_STAY = f"echo began >> {JOURNAL}/$MESOS_TASK_ID; trap 'exit 0' TERM; sleep 100000 & wait $!"
HOUR = 3600
YEAR = 365 * 24 * HOUR
FAKETIME = next(map(str, pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


@contextlib.contextmanager
def stopped(pid):
    """SIGSTOP; SIGCONT however the body ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class EngineHangsTest(ClusterCase):
    hosts_wanted = 1

    def setUp(self):
        super().setUp()
        self.journal = self.lab.folder / "journal"
        self.journal.mkdir(exist_ok=True)

    @property
    def host(self):
        return self.lab.hosts[0]

    def written(self, name, instances):
        """An app whose tasks write down each start; no network of its own, which would only take time."""
        app = self.definition(name, instances, cmd=WRITE_AND_STAY, networks=[{"mode": "host"}], cpus=0.01,
                              requirePorts=False, portDefinitions=[])
        app["container"] = {"type": "DOCKER", "docker": app["container"]["docker"],
                            "volumes": [{"hostPath": str(self.journal), "containerPath": JOURNAL, "mode": "RW"}]}
        return app

    def post(self, name, instances):
        app = self.written(name, instances)
        self.lab.api.post("/v2/apps", app)
        return app["id"]

    def deploy_written(self, name, instances):
        app = self.post(name, instances)
        self.wait_running(app, instances)
        return app

    def starts_of(self, app):
        return {container["Config"]["Labels"]["io.methos.task"]: self.starts_of_task(container)
                for container in self.containers(app, every=True)}

    def starts_of_task(self, container):
        name = next(entry.split("=", 1)[1] for entry in container["Config"]["Env"] if entry.startswith("MESOS_TASK_ID="))
        file = self.journal / name
        return file.read_text(encoding="ascii").count("began") if file.exists() else 0

    def assert_started_once(self, *apps):
        for app in apps:
            self.assert_one_container_per_task(app)
            # A file per task that ever ran; each has begun once, also those that were replaced.
            wait_until(f"all of {app} have written", lambda app=app: all(self.starts_of(app).values()), SETTLE_SECONDS)
        counts = {file.name: file.read_text(encoding="ascii").count("began") for file in self.journal.iterdir()}
        self.assertEqual({1}, set(counts.values()), counts)

    def containerd(self):
        return int((self.host.folder / "exec/containerd/containerd.pid").read_text(encoding="ascii"))

    def listed(self, app):
        """Names of the app's containers, by the list alone: inspect waits for a start that hangs."""
        return [entry["Id"] for entry in self.host.docker.get("/containers/json?all=1")
                if entry["Labels"].get("io.methos.app") == app]

    def test_while_containerd_hangs_launches_and_kills_wait_and_then_happen_once(self):
        kept = self.deploy_written("kept", 2)
        ended = self.deploy_written("ended", 2)
        before = self.snapshot(kept)
        with stopped(self.containerd()):
            launched = self.post("launched", 3)
            wait_until("their containers are made", lambda: len(self.listed(launched)) == 3, SETTLE_SECONDS)
            self.lab.api.put(app_path(ended), {"instances": 0})
            wait_until("their end is asked for", lambda: not self.running_tasks(ended) or all(
                task["state"] == "TASK_KILLING" for task in self.tasks(ended)), SETTLE_SECONDS)
            self.assertEqual([], self.running_tasks(launched), "running without a containerd to start it")
            self.assertEqual(2, len(self.running_tasks(kept)))
        self.wait_running(launched, 3)
        self.assertEqual("", self.last_failure(launched))
        wait_until("what was to end is gone", lambda: not self.containers(ended), SETTLE_SECONDS)
        self.assertEqual(before, self.snapshot(kept))
        self.assert_started_once(kept, launched)

    def test_while_dockerd_hangs_the_host_is_down_and_then_nothing_has_happened_twice(self):
        kept = self.deploy_written("kept-below", 2)
        before = self.snapshot(kept)
        with stopped(self.host.dockerd.pid):
            launched = self.post("launched-into-it", 3)  # may reach it in the middle of a pull, create or start
            self.wait_host_state(self.host, "DOCKER_DOWN")
            self.assertEqual([], self.running_tasks(launched))
        self.wait_hosts_up()
        self.wait_running(launched, 3)
        self.assertEqual(before, self.snapshot(kept))
        self.assert_started_once(kept, launched)

    def test_a_dockerd_that_is_stopped_amid_a_storm_of_launches_starts_none_twice(self):
        launched = self.post("storm", 12)
        wait_until("the storm has begun", lambda: self.listed(launched), SETTLE_SECONDS)
        with stopped(self.host.dockerd.pid):
            self.wait_host_state(self.host, "DOCKER_DOWN")
        self.wait_hosts_up()
        self.wait_running(launched, 12)
        self.assert_started_once(launched)

    def test_a_dockerd_that_is_restarted_in_order_keeps_its_containers(self):
        kept = self.deploy_written("kept-over-restart", 3)
        before = self.snapshot(kept)
        self.assertEqual(0, self.host.dockerd.stop())
        self.wait_host_state(self.host, "DOCKER_DOWN")
        self.host.start_dockerd()
        self.host.wait_dockerd()
        self.wait_hosts_up()
        self.wait_running(kept, 3)
        self.assertEqual(before, self.snapshot(kept))
        self.assert_started_once(kept)

    def test_a_rebooted_machine_is_taken_up_where_it_was_left(self):
        """What a reboot leaves: Docker's data, and the executor's; no process, and nothing of the folder of sockets, pids and
        containerd's state, which is in memory."""
        lost = self.deploy_written("rebooted", 3)
        before = self.snapshot(lost)
        processes = [container["State"]["Pid"] for container in self.containers(lost)]
        shims = {parent_of(pid) for pid in processes}
        self.host.executor.kill()
        self.host.kill_dockerd()
        for pid in [*shims, *processes]:
            os.kill(pid, signal.SIGKILL)
        wait_until("no process is left", lambda: all(is_zombie(pid) for pid in processes), SETTLE_SECONDS)
        unmount_below(str(self.host.folder / "exec"))
        shutil.rmtree(self.host.folder / "exec")
        self.host.start_executor()  # comes up first, without a Docker
        self.host.start_dockerd()
        self.host.wait_dockerd()
        self.wait_hosts_up()
        self.wait_running(lost, 3)
        self.assertFalse(before.keys() & {container["Id"] for container in self.containers(lost)})
        self.assertRegex(self.last_failure(lost), "restart of Docker")
        self.assert_started_once(lost)

    def jump(self, offset):
        """The executor's wall clock, in seconds from the true one. Its monotonic clock is the machine's."""
        self.clock.write_text(f"{offset:+d}\n", encoding="ascii")

    def start_with_own_clock(self):
        self.clock = self.lab.folder / "clock"
        self.jump(0)
        host = self.host
        host.executor.stop()
        true_environment = host.executor.environment
        host.executor.environment = {
            **true_environment, "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
        host.start_executor()

        def back_to_the_true_clock():
            host.executor.stop()
            host.executor.environment = true_environment
            host.start_executor()
            self.wait_hosts_up()
        self.addCleanup(back_to_the_true_clock)
        self.wait_hosts_up()

    def test_an_executor_whose_clock_jumps_goes_on_as_before(self):
        kept = self.deploy_written("kept-over-jumps", 2)
        before = self.snapshot(kept)
        self.start_with_own_clock()
        for name, offset in (("ahead", YEAR), ("back", -3 * HOUR)):
            with self.subTest(name):
                self.jump(offset)
                launched = self.deploy_written(f"jumped-{name}", 2)
                victim = self.containers(launched)[0]
                self.host.docker.post(f"/containers/{victim['Id']}/kill?signal=KILL")
                wait_until("its end is seen, and it is replaced", lambda launched=launched, victim=victim: (
                    len(running := {found["Id"] for found in self.containers(launched)}) == 2
                    and victim["Id"] not in running), SETTLE_SECONDS)
                self.wait_running(launched, 2)
                self.lab.api.put(app_path(launched), {"instances": 0})
                wait_until("a kill ends them", lambda launched=launched: not self.containers(launched), SETTLE_SECONDS)
                # Docker comes back with events of another time than ours.
                self.host.kill_dockerd()
                self.wait_host_state(self.host, "DOCKER_DOWN")
                self.host.start_dockerd()
                self.host.wait_dockerd()
                self.wait_hosts_up()
                self.wait_running(kept, 2)
                self.assertEqual(before, self.snapshot(kept))
        told_next_year = f"\n{(datetime.datetime.now() + datetime.timedelta(seconds=YEAR)).year}-"
        self.assertIn(told_next_year, self.host.executor.log.read_text(encoding="utf-8"), "its clock was never another")
        self.assert_started_once(kept)


if __name__ == "__main__":
    if FAKETIME:
        cluster_case.main()
    print("skipped: libfaketime is missing; apt-get install faketime", flush=True)
    sys.exit(cluster_case.SKIPPED)
