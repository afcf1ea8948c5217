"""The lab itself: hosts are separate machines to each other, and nothing of a lab is left, however its owner ends."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case, lab_guardian
from tests.support.lab import HUB_IP, Lab
from tests.support.rest import Rest, wait_until

# A lab with a running container whose owner waits to be killed.
OWNER = """
import sys, time
sys.path.insert(0, {root!r})
from tests.cluster.lab_test import run_container
from tests.support.lab import Lab
lab = Lab()
lab.start_registry()
lab.push("lib/demo")
host = lab.add_host()
host.wait_dockerd()
run_container(host)
print(lab.name, lab.folder, flush=True)
time.sleep(600)
"""


def run_container(host):
    """A container of the demo image that serves on a port of its host; by the plain Engine API."""
    image = f"{HUB_IP}:5999/lib/demo:1"
    host.docker.raw("POST", f"/images/create?fromImage={image}")
    made = host.docker.post("/containers/create", {
        "Image": image, "HostConfig": {"PortBindings": {"8080/tcp": [{"HostPort": "31000"}]}}})
    host.docker.post(f"/containers/{made['Id']}/start")
    return made["Id"]


class LabTest(unittest.TestCase):
    def test_hosts_are_machines_of_their_own_and_links_can_be_cut(self):
        with Lab() as lab:
            lab.start_registry()
            lab.push("lib/demo")
            first, second = lab.add_host(), lab.add_host()
            for host in (first, second):
                host.wait_dockerd()
                run_container(host)
                wait_until(f"{host.name} serves on its own port 31000",
                           lambda host=host: b"hello" in Rest(f"http://{host.ip}:31000").raw("GET", "/")[2])
            first.cut_link()
            with self.assertRaises(OSError):
                Rest(f"http://{first.ip}:31000", timeout=1).raw("GET", "/")
            self.assertEqual(200, Rest(f"http://{second.ip}:31000").raw("GET", "/")[0])
            first.mend_link()
            wait_until("the mended host answers again",
                       lambda: Rest(f"http://{first.ip}:31000", timeout=1).raw("GET", "/")[0] == 200)
            # A dockerd that is killed leaves its containers running, and comes back to them.
            before = [entry["Id"] for entry in second.docker.get("/containers/json")]
            second.kill_dockerd()
            second.start_dockerd()
            second.wait_dockerd()
            self.assertEqual(before, [entry["Id"] for entry in second.docker.get("/containers/json")])
        self.assert_nothing_left(lab.name, lab.folder)

    def test_a_killed_owner_leaves_nothing_behind(self):
        root = str(pathlib.Path(__file__).resolve().parents[2])
        owner = subprocess.Popen([sys.executable, "-c", OWNER.format(root=root)], stdout=subprocess.PIPE, text=True)
        name, folder = owner.stdout.readline().split()
        self.assertTrue(lab_guardian.processes_of(name, folder, frozenset()))
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        owner.stdout.close()
        wait_until("the guardian has removed the lab", lambda: not os.path.exists(folder), seconds=90)
        self.assert_nothing_left(name, folder)

    def assert_nothing_left(self, name, folder):
        wait_until("all processes of the lab are gone",
                   lambda: not lab_guardian.processes_of(name, folder, frozenset({os.getpid()})))
        self.assertEqual([], lab_guardian.namespaces_of(name))
        self.assertEqual([], [cgroup for cgroup in lab_guardian.cgroups_of(name)])
        self.assertFalse(os.path.exists(folder))
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            self.assertNotIn(str(folder), mounts.read())
        links = subprocess.run(["ip", "-j", "link"], check=True, capture_output=True)
        self.assertFalse([link for link in json.loads(links.stdout) if link["ifname"].startswith(name)])


if __name__ == "__main__":
    cluster_case.main()
