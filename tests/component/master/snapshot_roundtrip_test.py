"""A cluster's state saved and restored with the real programs, beside an executor that runs real processes: what the
snapshot knows is adopted, what was started since goes on for its grace, and no number is given out twice.

Usage: snapshot_roundtrip_test.py MASTER_BINARY CLI_BINARY BUS_PROTO
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from tests.clients.foreign_executor_test import DEBIAN_PYTHON, SKIPPED, why_not
from tests.clients.programs import MasterProgram, Program
from tests.support.rest import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
MASTER_BINARY = CLI_BINARY = BUS_PROTO = None


class SnapshotTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-snapshot-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.master = MasterProgram(MASTER_BINARY, self.folder)
        self.addCleanup(self.master.kill)
        self.master.start()
        self.file = self.folder / "cluster.snapshot"
        self.executor = None

    def methos(self, *words, **more):
        environment = {"METHOS_URL": self.master.url, "PATH": os.environ["PATH"], "HOME": str(self.folder),
                       "METHOS_TOKEN": (self.master.data_dir / "admin.token").read_text().strip()}
        return subprocess.run([CLI_BINARY, *map(str, words)], env=environment, capture_output=True, text=True,
                              timeout=60, check=False, **more)

    def start_executor(self):
        script = REPOSITORY / "tests/clients/python_executor.py"
        self.executor = Program([DEBIAN_PYTHON, script, self.master.data_dir / "join.token", "pythonia",
                                 pathlib.Path(BUS_PROTO).parent], self.folder / "executor.log")
        self.addCleanup(self.executor.kill)

    def deploy(self, name, instances):
        self.master.api.post("/v2/apps", {"id": f"/{name}", "cmd": "exec sleep 1000", "instances": instances,
                                          "cpus": 0.1, "mem": 16,
                                          "container": {"type": "DOCKER", "docker": {"image": "none"}}})
        self.wait_running(name, instances)

    def wait_running(self, name, instances):
        wait_until(f"{name} runs", lambda: self.master.api.get(f"/v2/apps/{name}")["app"]["tasksRunning"] == instances)

    def launched(self):
        """Process ids by task, in the order of their launch."""
        lines = self.executor.log.read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return {event["task"]: event["pid"] for event in events if event["event"] == "launched"}

    def tasks_of(self, name):
        return {task["id"] for task in self.master.api.get(f"/v2/apps/{name}/tasks")["tasks"]}

    def test_a_restored_master_adopts_what_it_knows_and_spares_what_it_does_not(self):
        self.start_executor()
        self.deploy("known", 2)
        known = self.tasks_of("known")
        saved = self.methos("snapshot", "save", self.file)
        self.assertEqual(0, saved.returncode, saved.stderr)
        self.deploy("late", 1)
        late = self.tasks_of("late").pop()
        self.master.kill()
        restored = self.methos("snapshot", "restore", self.file, "--data-dir", self.master.data_dir, "--force")
        self.assertEqual(0, restored.returncode, restored.stderr)
        self.master.start()
        self.wait_running("known", 2)
        self.assertEqual(known, self.tasks_of("known"))
        self.assertEqual(["/known"], [app["id"] for app in self.master.api.get("/v2/apps")["apps"]])
        wait_until("the log tells", lambda: "tasks that the restored state does not know (1)" in
                   self.master.process.log.read_text())
        os.kill(self.launched()[late], 0)  # it still runs

        self.deploy("late", 1)  # the same app again, beside it
        everything = self.launched()
        self.assertEqual(4, len(everything), "a task id was given out twice, or a task was restarted")
        for pid in everything.values():
            os.kill(pid, 0)
        self.assertTrue((self.master.data_dir / "state.db.before-restore").exists())

    def test_a_snapshot_holds_no_secrets(self):
        self.assertEqual(0, self.methos("snapshot", "save", self.file).returncode)
        content = self.file.read_bytes()
        for name in ("admin.token", "bus.key", "join.token"):
            for line in (self.master.data_dir / name).read_text().split():
                self.assertNotIn(line.encode(), content, name)

    def test_nothing_is_restored_under_a_running_master(self):
        self.assertEqual(0, self.methos("snapshot", "save", self.file).returncode)
        refused = self.methos("snapshot", "restore", self.file, "--data-dir", self.master.data_dir, "--force")
        self.assertEqual(1, refused.returncode)
        self.assertIn("stop it first", refused.stderr)
        self.assertEqual("pong", self.master.api.raw("GET", "/ping")[2].decode())

    def test_another_directory_becomes_the_cluster_when_it_gets_the_keys(self):
        self.start_executor()
        self.deploy("known", 1)
        self.assertEqual(0, self.methos("snapshot", "save", self.file).returncode)
        self.master.kill()
        old = self.master.data_dir
        self.master.data_dir = self.folder / "replacement"
        self.master.data_dir.mkdir(mode=0o700)
        for name in ("admin.token", "bus.key"):
            shutil.copy(old / name, self.master.data_dir)
        restored = self.methos("snapshot", "restore", self.file, "--data-dir", self.master.data_dir)
        self.assertEqual((0, ""), (restored.returncode, restored.stderr))
        self.master.start()
        self.wait_running("known", 1)
        self.assertEqual(1, len(self.launched()))

    def test_a_full_disk_leaves_no_half_snapshot(self):
        def small_files():
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        failed = self.methos("snapshot", "save", self.file, preexec_fn=small_files, restore_signals=False)
        self.assertEqual(1, failed.returncode)
        self.assertIn(str(self.file), failed.stderr)
        self.assertEqual([], list(self.folder.glob("cluster.snapshot*")))


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    MASTER_BINARY, CLI_BINARY, BUS_PROTO = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
