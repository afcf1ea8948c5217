"""An executor that is not ours (python_executor.py, written from docs/protocol.md and bus.proto) in a real master's
cluster: it joins, its tasks run, end and are killed, a restarted master finds them again, and a wrong token is refused.

Usage: foreign_executor_test.py MASTER_BINARY BUS_PROTO
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.clients.programs import MasterProgram, Program
from tests.support.rest import wait_until

SKIPPED = 77
DEBIAN_PYTHON = "/usr/bin/python3"  # which has Debian's modules, whatever comes first on PATH
FINISHED = 4
MASTER_BINARY = BUS_PROTO = None


def why_not():
    if not shutil.which("protoc"):
        return "protoc is missing; apt-get install protobuf-compiler"
    if subprocess.run([DEBIAN_PYTHON, "-c", "import zmq, google.protobuf"], capture_output=True, check=False).returncode:
        return "apt-get install python3-zmq python3-protobuf"
    return ""


class ForeignExecutorTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-foreign-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.master = MasterProgram(MASTER_BINARY, self.folder)
        self.addCleanup(self.master.kill)
        self.master.start()
        self.executor = None

    def start_executor(self, token=None):
        script = pathlib.Path(__file__).with_name("python_executor.py")
        self.executor = Program([DEBIAN_PYTHON, script, token or self.master.data_dir / "join.token", "pythonia",
                                 pathlib.Path(BUS_PROTO).parent], self.folder / "executor.log")
        self.addCleanup(self.executor.kill)
        return self.executor

    def events(self, kind):
        lines = self.executor.log.read_text().splitlines()
        return [event for line in lines if line.startswith("{") and (event := json.loads(line))["event"] == kind]

    def host_state(self):
        hosts = self.master.api.get("/methos/v1/hosts")["hosts"]
        return hosts[0]["state"] if hosts else None

    def deploy(self, name, cmd, instances):
        self.master.api.post("/v2/apps", {"id": f"/{name}", "cmd": cmd, "instances": instances, "cpus": 0.1, "mem": 16,
                                          "container": {"type": "DOCKER", "docker": {"image": "none"}},
                                          "portDefinitions": [{"port": 0}]})

    def running(self, name):
        app = self.master.api.get(f"/v2/apps/{name}")["app"]
        return app["tasksRunning"]

    def processes(self):
        """Process ids by task that the executor says it started and that are alive."""
        def alive(pid):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        return {event["task"]: event["pid"] for event in self.events("launched") if alive(event["pid"])}

    def test_tasks_run_are_acknowledged_and_die_when_asked(self):
        self.start_executor()
        wait_until("the host is UP", lambda: self.host_state() == "UP")
        self.deploy("sleepers", 'test -n "$MESOS_TASK_ID" && test "$PORT0" -ge 31000 && exec sleep 1000', 2)
        wait_until("both run", lambda: self.running("sleepers") == 2)
        tasks = {task["id"] for task in self.master.api.get("/v2/apps/sleepers/tasks")["tasks"]}
        self.assertEqual(tasks, set(self.processes()))
        wait_until("RUNNING is acknowledged", lambda: {event["task"] for event in self.events("acknowledged")} == tasks)

        self.master.api.delete("/v2/apps/sleepers")
        wait_until("no process is left", lambda: not self.processes())
        wait_until("the app is gone", lambda: not self.master.api.get("/v2/apps")["apps"])

    def test_a_task_that_ends_is_finished_and_replaced(self):
        self.start_executor()
        self.deploy("short", "exit 0", 1)
        wait_until("FINISHED is acknowledged twice", lambda: len(
            [event for event in self.events("acknowledged") if event["state"] == FINISHED]) >= 2)
        names = [event["task"] for event in self.events("launched")]
        self.assertEqual(len(names), len(set(names)), "a task was launched twice")

    def test_a_killed_master_finds_its_tasks_again(self):
        self.start_executor()
        self.deploy("steady", "exec sleep 1000", 2)
        wait_until("both run", lambda: self.running("steady") == 2)
        before = self.processes()
        self.master.process.kill()
        self.master.start()
        wait_until("the host is UP again", lambda: self.host_state() == "UP")
        wait_until("both run", lambda: self.running("steady") == 2)
        self.assertEqual(before, self.processes())

    def test_a_wrong_token_is_refused_with_a_reason(self):
        text = (self.master.data_dir / "join.token").read_text().strip()
        other = MasterProgram(MASTER_BINARY, self.folder / "other")
        self.addCleanup(other.kill)
        other.start()
        forged = self.folder / "forged.token"
        forged.write_text(mix_tokens(text, (other.data_dir / "join.token").read_text().strip()))
        self.start_executor(forged)
        wait_until("it is refused", lambda: self.events("refused"))
        self.assertIn("token", self.events("refused")[0]["message"])
        self.assertEqual(1, self.executor.wait())


def mix_tokens(real, other):
    """Where and with whose key, of the real token; the secret of the other."""
    import base64

    def read(token):
        encoded = token[len("methos1-"):]
        return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))

    mixed = json.dumps({**read(real), "secret": read(other)["secret"]}).encode()
    return "methos1-" + base64.urlsafe_b64encode(mixed).decode().rstrip("=")


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    MASTER_BINARY, BUS_PROTO = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
