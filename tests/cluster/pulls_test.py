"""Pulls that are cut on the way: the registry dies, the proxy dies, the executor dies, or nobody wants the image any more. A gate
in front of the upstream lets only so many bytes of a large image pass, so that each of these happens in the middle of a
pull. What was wanted runs in the end, started once; what was not is left alone."""

import itertools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase
from tests.support.lab import HUB_IP, UPSTREAM_URL
from tests.support.registry_gate import RegistryGate
from tests.support.rest import wait_until

GATED_NAME = "gated.example"  # the upstream's other name, behind the gate
LARGE_BYTES = 8 * 1024 * 1024  # and a byte more for each image: of one size they would have the same layer
HELD_AFTER_BYTES = 3 * 1024 * 1024
STAY = "trap 'exit 0' TERM; sleep 100000 & wait $!"


class PullsTest(ClusterCase):
    hosts_wanted = 1
    images = itertools.count()

    @classmethod
    def start_all(cls):
        cls.gate = RegistryGate(HUB_IP, UPSTREAM_URL)
        cls.addClassCleanup(cls.gate.close)
        start_proxy = cls.lab.start_proxy
        cls.lab.start_proxy = lambda: start_proxy("--upstream", f"{GATED_NAME}={cls.gate.url}")
        super().start_all()

    def setUp(self):
        super().setUp()
        self.gate.open()

    @property
    def host(self):
        return self.lab.hosts[0]

    def push_large(self, name):
        """An image of its own, which nobody has pulled before."""
        self.lab.push(f"lib/{name}", filler_sizes=(LARGE_BYTES + next(self.images),), label=name)
        return f"{GATED_NAME}/lib/{name}:1"

    def post(self, name, image, instances=1):
        app = self.definition(name, instances, cmd=STAY)
        app["container"]["docker"]["image"] = image
        self.lab.api.post("/v2/apps", app)
        return app["id"]

    def begin_pull(self, name, instances=1):
        """An app whose image has come half of the way, and not further; the image's name too."""
        image = self.push_large(name)
        self.gate.hold_after(HELD_AFTER_BYTES)
        app = self.post(name, image, instances)
        wait_until("half of the image has come", lambda: self.gate.holds, SETTLE_SECONDS)
        self.assertEqual([], self.running_tasks(app))
        return app, image

    def launches_told(self, app):
        """How often the executor was told to launch a task of the app."""
        log = self.host.executor.log.read_text(encoding="utf-8")
        return len(re.findall(rf" launching task={app[1:]}\.", log))

    def test_a_registry_that_dies_amid_a_pull_costs_time_only(self):
        app, _ = self.begin_pull("registry-dies")
        self.gate.die()
        wait_until("the pull has met the dead registry", lambda: self.gate.refused > 0, SETTLE_SECONDS)
        self.gate.open()
        self.wait_running(app, 1)
        self.assertEqual("", self.last_failure(app))
        self.assertEqual(1, self.launches_told(app))

    def test_a_proxy_that_dies_amid_a_pull_costs_time_only(self):
        app, _ = self.begin_pull("proxy-dies")
        self.lab.proxy.kill()
        self.gate.open()
        self.lab.start_proxy()
        self.wait_running(app, 1)
        self.assertEqual("", self.last_failure(app))
        self.assertEqual(1, self.launches_told(app))

    def test_an_executor_that_dies_amid_a_pull_leaves_nothing_undone(self):
        app, _ = self.begin_pull("executor-dies", instances=2)
        self.host.executor.kill()
        self.host.start_executor()
        self.wait_hosts_up()
        self.gate.open()
        self.wait_running(app, 2)
        self.assert_one_container_per_task(app)
        self.assertEqual(2, len(self.containers(app, every=True)))

    def test_a_dockerd_that_dies_amid_a_pull_leaves_nothing_undone(self):
        app, _ = self.begin_pull("dockerd-dies")
        self.host.kill_dockerd()
        self.wait_host_state(self.host, "DOCKER_DOWN")
        self.gate.open()
        self.host.start_dockerd()
        self.host.wait_dockerd()
        self.wait_hosts_up()
        self.wait_running(app, 1)
        self.assert_one_container_per_task(app)

    def test_a_pull_that_nobody_wants_any_more_ends_and_spares_who_still_does(self):
        given_up, image = self.begin_pull("given-up")
        still = self.post("still-wanted", image)
        wait_until("both wait for the image", lambda: self.launches_told(still), SETTLE_SECONDS)
        self.lab.api.delete("/v2/apps/given-up?force=true")
        wait_until("the first is forgotten", lambda: "/given-up" not in {
            app["id"] for app in self.lab.api.get("/v2/apps")["apps"]}, SETTLE_SECONDS)
        self.gate.open()
        self.wait_running(still, 1)
        self.assertEqual("", self.last_failure(still))
        self.assertEqual([], self.containers(given_up, every=True))

    def test_a_pull_that_is_given_up_by_all_may_be_begun_again(self):
        app, image = self.begin_pull("begun-again")
        self.lab.api.delete("/v2/apps/begun-again?force=true")
        wait_until("it is forgotten", lambda: app not in {
            found["id"] for found in self.lab.api.get("/v2/apps")["apps"]}, SETTLE_SECONDS)
        again = self.post("begun-again", image)
        self.gate.open()
        self.wait_running(again, 1)


if __name__ == "__main__":
    cluster_case.main()
