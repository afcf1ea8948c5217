"""A host whose Docker has a small disk of its own, which fills up: what runs there goes on, what is new goes elsewhere,
people are told why, and with room again the host is one like the others."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase
from tests.support.lab import DISK_WATERMARK_BYTES
from tests.support.rest import wait_until

SMALL_DISK_BYTES = 400 * 1024 * 1024


class DockerDiskTest(ClusterCase):
    @classmethod
    def start_all(cls):
        cls.small = cls.lab.add_host(disk_bytes=SMALL_DISK_BYTES)
        cls.hosts_wanted = 1  # and one more, with room
        super().start_all()

    def trouble(self):
        return {host["hostname"]: host["trouble"] for host in self.lab.api.get("/methos/v1/hosts")["hosts"]}[self.small.name]

    def on_small(self):
        return {"constraints": [["hostname", "IS", self.small.name]]}

    def test_a_full_disk_keeps_new_instances_away_and_ends_none(self):
        before = self.deploy("before", 1, **self.on_small())
        containers = self.snapshot(before)
        filler = self.small.folder / "root" / "filler"
        filler.write_bytes(b"x" * (SMALL_DISK_BYTES - self.used_bytes() - DISK_WATERMARK_BYTES // 2))
        wait_until("the host tells of its disk", self.trouble, SETTLE_SECONDS)
        inspected = self.lab.cli("hosts", "inspect", self.small.name)
        self.assertIn("takes no new tasks: the disk of", inspected.stdout)

        self.deploy("elsewhere", 3)
        self.assertEqual([], self.containers("/elsewhere", [self.small]))
        waiting = self.definition("waiting", 1, **self.on_small())
        self.lab.api.post("/v2/apps", waiting)
        why = wait_until("the reason is named", lambda: self.reasons("waiting"), SETTLE_SECONDS)
        self.assertIn("HostInTrouble", why)
        self.assertEqual(containers, self.snapshot(before))

        filler.unlink()
        self.wait_running("/waiting", 1)
        self.assertEqual("", self.trouble())
        self.assertEqual(containers, self.snapshot(before))

    def used_bytes(self):
        disk = self.small.disk()
        return (disk.f_blocks - disk.f_bavail) * disk.f_frsize

    def reasons(self, app):
        waiting = self.lab.api.get(f"/methos/v1/why/{app}")["waiting"]
        return {reason["reason"] for group in waiting for reason in group["reasons"]}


if __name__ == "__main__":
    cluster_case.main()
