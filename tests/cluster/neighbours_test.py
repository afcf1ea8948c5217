"""Two executors on one dockerd, each with a data directory and a share of ports of its own: two hosts that keep to their
own containers, also when one of them is killed, or loses its data directory. And two executors that would be one host:
the second is refused."""

import itertools
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase, app_path
from tests.support.rest import wait_until

FAILED = 1
NEIGHBOUR = "neighbour"
NEIGHBOUR_PORTS = "32000-32499"


class NeighboursTest(ClusterCase):
    hosts_wanted = 1
    numbers = itertools.count(1)

    @classmethod
    def start_all(cls):
        super().start_all()
        cls.host = cls.lab.hosts[0]
        cls.neighbour_folder = cls.host.folder / NEIGHBOUR
        cls.neighbour = cls.host.make_executor("executor-neighbour", cls.host.executor_command(
            hostname=NEIGHBOUR, ports=NEIGHBOUR_PORTS, data_dir=cls.neighbour_folder))
        cls.neighbour.start()
        cls.wait_up(NEIGHBOUR)

    def setUp(self):
        super().setUp()
        number = next(self.numbers)
        self.first = self.deploy_on(f"first-{number}", self.host.name)
        self.second = self.deploy_on(f"second-{number}", NEIGHBOUR)

    def deploy_on(self, name, hostname):
        return self.deploy(name, 2, constraints=[["hostname", "CLUSTER", hostname]])

    @classmethod
    def hosts(cls):
        return {host["hostname"]: host for host in cls.lab.api.get("/methos/v1/hosts")["hosts"]}

    @classmethod
    def wait_up(cls, *names):
        wait_until(f"{names} are UP", lambda: all(cls.hosts()[name]["state"] == "UP" for name in names), SETTLE_SECONDS)

    def both(self):
        return self.snapshot(self.first) | self.snapshot(self.second)

    def assert_as_before(self, before):
        self.wait_up(self.host.name, NEIGHBOUR)
        self.wait_running(self.first, 2)
        self.wait_running(self.second, 2)
        self.assertEqual(before, self.both())

    def test_each_has_its_own_containers_ports_and_identity(self):
        hosts = self.hosts()
        self.assertNotEqual(hosts[self.host.name]["id"], hosts[NEIGHBOUR]["id"])
        for app, name, first_port in ((self.first, self.host.name, 31000), (self.second, NEIGHBOUR, 32000)):
            self.assertEqual({hosts[name]["id"]}, {
                container["Config"]["Labels"]["io.methos.host"] for container in self.containers(app)})
            self.assertEqual(2, hosts[name]["tasks"])
            for task in self.running_tasks(app):
                self.assertTrue(first_port <= task["ports"][0] < first_port + 1000, task)

    def test_one_that_comes_later_does_not_take_itself_for_one_that_runs(self):
        before = self.both()
        third = self.host.make_executor("executor-third", self.host.executor_command(
            hostname="third", ports="33000-33099", data_dir=self.host.folder / "third"))
        third.start()
        self.wait_up("third")
        self.assertEqual(0, self.hosts()["third"]["tasks"])
        self.assert_as_before(before)
        self.assertEqual(0, third.stop())
        self.assert_as_before(before)

    def test_one_that_is_killed_or_stopped_comes_back_to_its_own_and_leaves_the_others_alone(self):
        before = self.both()
        for executor in (self.host.executor, self.neighbour):
            executor.kill()
            executor.start()
            self.assert_as_before(before)
        self.assertEqual(0, self.neighbour.stop())
        self.neighbour.start()
        self.assert_as_before(before)
        self.host.executor.kill()
        self.neighbour.kill()
        self.neighbour.start()
        self.host.executor.start()
        self.assert_as_before(before)

    def test_removing_an_app_removes_its_containers_only(self):
        before = self.snapshot(self.first)
        self.lab.api.delete(app_path(self.second))
        wait_until("they are gone", lambda: not self.containers(self.second, every=True), SETTLE_SECONDS)
        self.wait_running(self.first, 2)
        self.assertEqual(before, self.snapshot(self.first))

    def test_a_lost_data_directory_gives_nobody_the_others_containers(self):
        before = self.both()
        ids = {name: host["id"] for name, host in self.hosts().items()}
        self.neighbour.kill()
        shutil.rmtree(self.neighbour_folder)
        self.neighbour.start()  # of the two hosts that the containers are of, one runs: it is the other
        self.assert_as_before(before)
        self.assertEqual(ids, {name: host["id"] for name, host in self.hosts().items()})

    def refused(self, data_dir):
        """What an executor says that is started with this data directory, and refused."""
        words = self.host.executor_command(hostname="third", ports="33000-33099", data_dir=data_dir)
        done = self.lab.run_to_end(*words, namespace=self.host.namespace)
        self.assertEqual(FAILED, done.returncode, done.stderr + done.stdout)
        return done.stderr

    def test_a_second_executor_on_the_same_data_directory_is_refused(self):
        before = self.both()
        text = self.refused(self.host.folder / "executor")
        self.assertIn(f"another methos-executor uses the data directory {self.host.folder}/executor", text)
        self.assertIn("--data-dir", text)
        self.assert_as_before(before)

    def test_a_second_executor_on_a_copy_of_the_data_directory_is_refused(self):
        before = self.both()
        copy = self.host.folder / "copy"
        shutil.copytree(self.host.folder / "executor", copy)
        self.addCleanup(shutil.rmtree, copy)
        text = self.refused(copy)
        self.assertIn(self.hosts()[self.host.name]["id"], text)
        self.assertIn(str(copy), text)
        self.assert_as_before(before)


if __name__ == "__main__":
    cluster_case.main()
