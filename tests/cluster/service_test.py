"""A service from the command line onto three hosts: placed, pulled through the proxy from a foreign registry, answering
on its ports, scaled and removed; and what a person reads on the way."""

import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase, app_path
from tests.support.lab import HUB_IP, PROXY_URL, UPSTREAM_NAME
from tests.support.rest import Rest, RestError, wait_until


class ServiceTest(ClusterCase):
    def deploy_by_cli(self, name, instances, **more):
        app = self.definition(name, instances, **more)
        path = self.lab.folder / f"{name}.json"
        path.write_text(json.dumps(app), encoding="utf-8")
        return app["id"], self.lab.cli("deploy", str(path))

    def test_six_instances_on_three_hosts_pulled_through_the_proxy(self):
        app, done = self.deploy_by_cli("six", 6)
        self.assertEqual(0, done.returncode, done.stderr + done.stdout)
        self.wait_running(app, 6)
        self.assert_serves(app)
        self.assert_one_container_per_task(app)
        for host in self.lab.hosts:
            self.assertTrue(self.containers(app, [host]), f"{host.name} got no instance")
        # The upstream saw the proxy's address only, and each blob once.
        lines = re.findall(r'(\S+) - - \[[^]]*\] "GET /v2/lib/demo/(\S+) ', self.lab.registry.log.read_text())
        self.assertTrue(lines, "the upstream saw no pull")
        self.assertEqual({HUB_IP}, {address for address, _ in lines})
        blobs = [path for _, path in lines if path.startswith("blobs/")]
        self.assertEqual(sorted(set(blobs)), sorted(blobs), "a blob was fetched more than once")

    def test_scaling_up_and_down_keeps_the_instances_that_stay(self):
        app = self.deploy("scaled", 2)
        two = set(self.snapshot(app).items())
        done = self.lab.cli("scale", app, "5")
        self.assertEqual(0, done.returncode, done.stderr + done.stdout)
        self.wait_running(app, 5)
        self.assertLessEqual(two, set(self.snapshot(app).items()))
        self.assert_serves(app)
        five = set(self.snapshot(app).items())
        self.lab.api.put(app_path(app), {"instances": 1})
        self.wait_running(app, 1)
        left = {container["Id"] for container in self.containers(app)}
        self.assertLessEqual(left, {identity for identity, _ in five})
        self.assert_serves(app)

    def test_removing_a_service_removes_its_containers(self):
        app = self.deploy("removed", 3)
        done = self.lab.cli("rm", app)
        self.assertEqual(0, done.returncode, done.stderr + done.stdout)
        wait_until("its containers are gone", lambda: not self.containers(app), SETTLE_SECONDS)
        with self.assertRaises(RestError) as refused:
            self.lab.api.get(app_path(app))
        self.assertEqual(404, refused.exception.status)
        self.assertEqual(4, self.lab.cli("status", app).returncode)

    def test_an_instance_that_dies_is_replaced(self):
        app = self.deploy("dying", 2)
        victim = self.containers(app)[0]
        host = next(host for host in self.lab.hosts if self.containers(app, [host])
                    and victim["Id"] in {found["Id"] for found in self.containers(app, [host])})
        host.docker.post(f"/containers/{victim['Id']}/kill?signal=KILL")
        wait_until("another container runs in its place", lambda: (
            len(self.containers(app)) == 2
            and victim["Id"] not in {found["Id"] for found in self.containers(app)}), SETTLE_SECONDS)
        self.wait_running(app, 2)
        self.assert_serves(app)

    def test_what_a_person_reads(self):
        app = self.deploy("read", 2)
        listing = self.lab.cli("ls")
        self.assertEqual(0, listing.returncode, listing.stderr)
        self.assertIn(app, listing.stdout)
        listed = json.loads(self.lab.cli("ls", "-o", "json").stdout)
        self.assertIn(app, [entry["id"] for entry in listed["apps"]])
        status = self.lab.cli("status", app)
        self.assertEqual(0, status.returncode, status.stderr)
        for task in self.running_tasks(app):
            self.assertIn(str(task["ports"][0]), status.stdout)
        logs = self.lab.cli("logs", app)
        self.assertEqual(0, logs.returncode, logs.stderr)
        self.assertEqual(2, logs.stdout.count("started"))
        hosts = self.lab.cli("hosts")
        self.assertEqual(0, hosts.returncode, hosts.stderr)
        for host in self.lab.hosts:
            self.assertIn(host.name, hosts.stdout)
        self.assertEqual(4, self.lab.cli("status", "/no-such-app").returncode)

    def test_why_says_what_is_in_the_way(self):
        app = self.definition("greedy", 1, cpus=64)
        self.lab.api.post("/v2/apps", app)
        answer = wait_until("the master knows why", lambda: (
            found := self.lab.api.get("/methos/v1/why/greedy"))["waiting"] and found, SETTLE_SECONDS)
        self.assertEqual((1, 0), (answer["wanted"], answer["running"]))
        self.assertIn("cpus", answer["waiting"][0]["text"])
        done = self.lab.cli("why", app["id"])
        self.assertIn("cpus", done.stdout + done.stderr)

    def test_an_image_pushed_to_the_proxy_runs_everywhere(self):
        # Pushes are taken from loopback only, so this one comes from the hub's own.
        image = self.lab.push("registry.internal/team/app", "1", url=PROXY_URL.replace(HUB_IP, "127.0.0.1"), label="own")
        definition = self.definition("hosted", 3)
        definition["container"]["docker"]["image"] = "registry.internal/team/app:1"
        self.lab.api.post("/v2/apps", definition)
        self.wait_running("/hosted", 3)
        self.assert_serves("/hosted")
        status, headers, manifest = Rest(PROXY_URL).raw("GET", "/v2/registry.internal/team/app/manifests/1")
        self.assertEqual((200, image.manifest), (status, manifest))
        self.assertEqual(image.digest, headers["Docker-Content-Digest"])

    def test_an_image_is_there_before_its_tasks(self):
        self.lab.push("lib/ahead", label="ahead")
        name = f"{UPSTREAM_NAME}/lib/ahead:1"
        done = self.lab.cli("images", "pull", name, "--hosts", "all")
        self.assertEqual(0, done.returncode, done.stderr + done.stdout)
        images = set()
        for host in self.lab.hosts:
            self.assertRegex(done.stdout, rf"(?m)^{host.name} +\S+ +ready +sha256:")
            images.add(host.docker.get(f"/images/{name}/json")["Id"])
        self.assertEqual(1, len(images))

        first = self.lab.hosts[0].name
        failed = self.lab.cli("images", "pull", f"{UPSTREAM_NAME}/lib/nowhere:1", "--hosts", first)
        self.assertEqual(1, failed.returncode, failed.stderr + failed.stdout)
        self.assertRegex(failed.stdout, rf"(?m)^{first} +\S+ +failed +\S+")

    def test_cpus_are_a_limit_where_the_executor_says_so(self):
        host = self.lab.hosts[0]
        host.executor.stop()
        host.executor.start("--cpu-limit", "hard")
        self.addCleanup(host.executor.start)
        self.addCleanup(host.executor.stop)
        self.wait_hosts_up()
        everywhere = self.deploy("limited", 3, constraints=[["hostname", "UNIQUE"]])
        for one in self.lab.hosts:
            limits = self.containers(everywhere, [one])[0]["HostConfig"]
            self.assertEqual(102, limits["CpuShares"])
            self.assertEqual(100_000_000 if one is host else 0, limits["NanoCpus"])
            self.assertEqual(32 * 1024 * 1024, limits["Memory"])
            # All of it, or -1 where the kernel cannot account for swap.
            self.assertIn(limits["MemorySwap"], (limits["Memory"], -1))
        self.assert_serves(everywhere)


if __name__ == "__main__":
    cluster_case.main()
