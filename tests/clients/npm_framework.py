"""A process of mesos_framework/framework.js, which is a framework on npm's mesos-framework: its packages, how it is
started, and what it was told. Where it runs and what it runs on is said by the test.
"""

import json
import os
import pathlib
import shutil
import subprocess
import threading

from tests.support.rest import wait_until

SOURCES = pathlib.Path(__file__).with_name("mesos_framework")
NPM_SECONDS = 240
TOLD_SECONDS = 60


def why_not():
    for program in ("node", "npm"):
        if not shutil.which(program):
            return f"{program} is missing; apt-get install nodejs npm"
    return ""


def install_packages(folder):
    """The locked packages; before a test enters a network of its own, from which no registry is reachable. Returns why
    they are not there, or nothing."""
    for name in ("package.json", "package-lock.json", "framework.js"):
        shutil.copy(SOURCES / name, folder)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=NPM_SECONDS, check=False)
    return "" if done.returncode == 0 else f"npm ci failed (is a registry reachable?): {done.stderr.strip()[-400:]}"


class NpmFramework:
    """One process of framework.js, its lines read by a thread. `wanted` is what framework.js reads, which lists it."""

    def __init__(self, packages, folder, wanted):
        wanted = {"instances": 0, "cpus": 0.1, "mem": 32, "ports": 0, "frameworkId": None, **wanted}
        self.events = []
        with open(folder / f"{wanted['name']}.err", "ab") as errors:  # the package complains of each offer that is too small
            self.process = subprocess.Popen(["node", "--no-deprecation", packages / "framework.js", json.dumps(wanted)],
                                            cwd=folder, env={**os.environ, "LOG_FOLDER": str(folder)}, text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if line.startswith('{"event"'):
                self.events.append(json.loads(line))

    def kill(self):
        """SIGKILL: it is gone without a word."""
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()

    def do(self, what, **more):
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()

    def seen(self, kind):
        return [event for event in list(self.events) if event["event"] == kind]

    def wait(self, what, condition):
        return wait_until(f"{what}; {self.seen('error')[-3:]}", condition, TOLD_SECONDS)

    def wait_subscribed(self):
        return self.wait("subscribed", lambda: self.seen("subscribed"))[-1]["framework"]

    def states(self):
        """The last state of each task that it was told of."""
        return {event["task"]: event["state"] for event in self.seen("update")}

    def running(self):
        return {task for task, state in self.states().items() if state == "TASK_RUNNING"}

    def agent_of(self, task):
        return next(event["agent"] for event in reversed(self.seen("update")) if event["task"] == task)

    def wait_running(self, count):
        self.wait(f"{count} tasks run", lambda: len(self.running()) == count)
