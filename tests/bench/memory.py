"""The programs' own memory when nothing happens: RssAnon, what only this process has and could not be dropped."""

import os
import subprocess
import time

from tests.support.lab import CLI, MASTER_URL
from tests.support.rest import wait_until

IDLE_SECONDS = 5


def rss_anon_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def measure(lab):
    """Master, executor and proxy of a lab with one host and nothing deployed, and a CLI that follows a log."""
    time.sleep(IDLE_SECONDS)  # a measurement of rest: there is no condition to wait for
    found = {"master": rss_anon_mb(lab.master.pid), "executor": rss_anon_mb(lab.hosts[0].executor.pid),
             "proxy": rss_anon_mb(lab.proxy.pid)}
    lab.api.post("/v2/apps", {"id": "/quiet", "cmd": "sleep 1000", "instances": 1, "cpus": 0.01, "mem": 8,
                              "container": {"type": "DOCKER", "docker": {"image": "lab.example/lib/demo:1"}}})
    wait_until("it runs", lambda: lab.api.get("/v2/apps/quiet")["app"]["tasksRunning"] == 1, 60)
    client = subprocess.Popen([CLI, "logs", "-f", "/quiet"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              env={**os.environ, "METHOS_URL": MASTER_URL, "METHOS_TOKEN": lab.token})
    try:
        time.sleep(1)
        if client.poll() is None:
            found["cli"] = rss_anon_mb(client.pid)
    finally:
        client.kill()
        client.wait()
        lab.api.delete("/v2/apps/quiet?force=true")
    return {f"{name}_mb": value for name, value in found.items()}
