"""A master without room for a byte: at its very first start, at a later one, and while it runs. It says so, keeps what it
has readable, and goes on by itself when there is room again."""

import errno
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, app_path
from tests.support.lab import MASTER_URL, Lab
from tests.support.rest import Rest, RestError, wait_until

FAILED = 1
DISK_BYTES = 4 * 1024 * 1024
PAGE_BYTES = 4096
FIRST_START_PAGES_MAX = 32  # with so much room a first start works, whatever SQLite's pages are
APP = {"cmd": "sleep 1000", "instances": 0, "cpus": 0.1, "mem": 32,
       "container": {"type": "DOCKER", "docker": {"image": "lab.example/lib/demo:1"}}}


class FullDiskTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.disk = self.lab.master_folder
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", self.disk], check=True)
        self.filler = self.disk / "filler"

    def run(self, result=None):
        self.result = result
        return super().run(result)

    def tearDown(self):
        cluster_case.print_logs_of_failure(self, self.result, self.lab)

    def fill(self, but_pages=0):
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * PAGE_BYTES)
            except OSError as error:
                self.assertEqual(errno.ENOSPC, error.errno)
            file.truncate(file.tell() - but_pages * PAGE_BYTES)

    def try_to_create(self):
        """The refusal of an app under a new name, or None: the store may have had some room of its own."""
        try:
            self.lab.api.post("/v2/apps", {**APP, "id": f"/wanted-{os.urandom(4).hex()}", "labels": {"pad": "x" * 4000}})
            return None
        except RestError as refused:
            return refused

    def assert_reads_but_refuses_changes(self, apps):
        refusal = wait_until("a change is refused", self.try_to_create, SETTLE_SECONDS)
        self.assertEqual(507, refusal.status)
        self.assertRegex(refusal.body, "disk is full")
        done = self.lab.cli("run", "lab.example/lib/demo:1", "--detach")
        self.assertEqual(FAILED, done.returncode, done.stderr)
        self.assertIn("disk is full", done.stderr)
        self.assertEqual(200, Rest(MASTER_URL).raw("GET", "/ping")[0])
        self.assertLessEqual(apps, {app["id"] for app in self.lab.api.get("/v2/apps")["apps"]})
        self.assertTrue(self.lab.master.alive())

    def assert_takes_changes(self, name):
        wait_until("changes are taken again", lambda: self.lab.api.post("/v2/apps", {**APP, "id": name}), SETTLE_SECONDS)
        self.assertEqual(name, self.lab.api.get(app_path(name))["app"]["id"])

    def host_states(self):
        return [host["state"] for host in self.lab.api.get("/methos/v1/hosts")["hosts"]]

    def wait_host_up(self):
        wait_until("the host is UP", lambda: self.host_states() == ["UP"], SETTLE_SECONDS)

    def start_host(self):
        host = self.lab.add_host()
        host.wait_dockerd()
        host.start_executor()
        return host

    def test_a_disk_that_fills_up_while_the_master_runs(self):
        self.lab.start_master()
        self.start_host()
        self.wait_host_up()
        self.lab.api.post("/v2/apps", {**APP, "id": "/before"})
        self.fill()
        self.assert_reads_but_refuses_changes({"/before"})
        self.assertEqual(["UP"], self.host_states())
        self.filler.unlink()
        self.assert_takes_changes("/after")

    def test_a_master_that_starts_on_a_full_disk_reads_refuses_and_recovers(self):
        self.lab.start_master()
        self.lab.api.post("/v2/apps", {**APP, "id": "/before"})
        self.lab.master.kill()  # the journal is still to be read at the next start
        self.fill()
        self.lab.start_master()
        self.assert_reads_but_refuses_changes({"/before"})
        # In order, too, and again: what a supervisor does all night must not use anything up.
        self.assertEqual(0, self.lab.master.stop())
        self.lab.start_master()
        self.assert_reads_but_refuses_changes({"/before"})
        self.start_host()
        self.assertEqual([], self.host_states(), "a host was let in that the store does not know")
        self.filler.unlink()
        self.wait_host_up()
        self.assert_takes_changes("/after")
        self.lab.master.kill()
        self.lab.start_master()
        self.assertLessEqual({"/before", "/after"}, {app["id"] for app in self.lab.api.get("/v2/apps")["apps"]})

    def test_a_first_start_without_room_says_so_and_leaves_nothing_in_the_way(self):
        # One page more each time, so that the disk is full at each file that a first start writes.
        for pages in range(FIRST_START_PAGES_MAX):
            self.fill(pages)
            code, text = self.first_start()
            if code == 0:
                break
            with self.subTest(pages=pages):
                self.assertEqual(FAILED, code, text)
                self.assertRegex(text, f"{self.disk}.*(No space left on device|disk is full)")
                self.assertFalse(list(self.disk.glob("*.new")), "a half-written secret is left")
        else:
            self.fail(f"no first start with {FIRST_START_PAGES_MAX} pages of room")
        self.assertGreater(pages, 3, "no start was refused for want of room")
        # What the refused starts did write is good.
        for name in ("admin.token", "join.token"):
            self.assertRegex((self.disk / name).read_text(encoding="ascii"), r"\A\S{32,}\n\Z")
        self.filler.unlink()
        self.lab.start_master()
        self.start_host()
        self.wait_host_up()
        self.assert_takes_changes("/first")

    def first_start(self):
        """Starts a master until it has ended or answers, which ends it; returns its code and what it said."""
        with subprocess.Popen(list(map(str, Lab.master_command(self.disk))), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as master:
            wait_until("it answers or ends", lambda: master.poll() is not None or Rest(MASTER_URL).raw("GET", "/ping"),
                       SETTLE_SECONDS)
            if master.poll() is None:
                master.terminate()
            text, _ = master.communicate(timeout=SETTLE_SECONDS)
        return master.returncode, text


if __name__ == "__main__":
    cluster_case.main()
