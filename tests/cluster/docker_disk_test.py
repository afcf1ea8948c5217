"""A host whose Docker has a small disk of its own, which fills up: what runs there goes on, what is new goes elsewhere,
people are told why, and with room again the host is one like the others."""

import errno
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

    def test_a_disk_without_a_byte_left_ends_nobody_and_all_goes_on_with_room_again(self):
        stays = self.deploy("stays", 2, **self.on_small())
        ends = self.deploy("ends", 2, cmd="trap 'exit 0' TERM; while :; do echo chatter; sleep 0.1; done", **self.on_small())
        containers = self.snapshot(stays)
        filler = self.small.folder / "root" / "filler"
        try:
            self.fill(filler)
            wait_until("the host tells of its disk", self.trouble, SETTLE_SECONDS)
            self.lab.api.post("/v2/apps", self.definition("comes", 1, **self.on_small()))
            # What was running can still be ended, and its end is told.
            self.lab.api.put("/v2/apps/ends", {"instances": 1})
            wait_until("one is ended", lambda: len(self.containers(ends)) == 1 == len(self.running_tasks(ends)), SETTLE_SECONDS)
            # Neither a new executor nor a new dockerd ends what they find.
            self.small.executor.kill()
            self.small.kill_dockerd()
            self.small.start_dockerd()
            self.small.start_executor()
            self.small.wait_dockerd()
            self.wait_hosts_up()
            self.wait_running(stays, 2)
            self.assertEqual(containers, self.snapshot(stays))
            self.assertTrue(self.trouble())
            self.assertEqual([], self.containers("/comes"))
        finally:
            filler.unlink()
        self.wait_running("/comes", 1)
        self.wait_running(ends, 1)
        self.assertEqual(containers, self.snapshot(stays))

    def fill(self, filler):
        """To the last byte that the disk gives."""
        with open(filler, "ab", buffering=0) as file:
            for size in (1024 * 1024, 4096):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def used_bytes(self):
        disk = self.small.disk()
        return (disk.f_blocks - disk.f_bavail) * disk.f_frsize

    def reasons(self, app):
        waiting = self.lab.api.get(f"/methos/v1/why/{app}")["waiting"]
        return {reason["reason"] for group in waiting for reason in group["reasons"]}


if __name__ == "__main__":
    cluster_case.main()
