"""What the programs cost when nothing happens: RssAnon, which only this process has and which could not be dropped, and the
CPU of an executor that has many containers."""

import os
import subprocess
import time

from tests.support.lab import CLI, MASTER_URL
from tests.support.rest import wait_until

IDLE_SECONDS = 5
CONTAINERS = tuple(map(int, (os.environ.get("METHOS_BENCH_CONTAINERS") or "10,100").split(",")))
SETTLE_SECONDS = 20  # after the last start: what the launches have left to do is no rest
CPU_SECONDS = int(os.environ.get("METHOS_BENCH_IDLE_SECONDS") or "90")  # three of the executor's lists
LAUNCH_SECONDS = 600
TICKS = os.sysconf("SC_CLK_TCK")


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


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as line:
        fields = line.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def with_containers(lab):
    """One executor that has so many containers, none of which does anything: its memory, and its CPU and its dockerd's, in
    percent of a core."""
    executor, dockerd = lab.hosts[0].executor.pid, lab.hosts[0].dockerd.pid
    found = []
    lab.api.post("/v2/apps", {"id": "/idle", "cmd": "sleep 1000000", "instances": 0, "cpus": 0.005, "mem": 3,
                              "container": {"type": "DOCKER", "docker": {"image": "lab.example/lib/demo:1"}}})
    for count in CONTAINERS:
        lab.api.put("/v2/apps/idle", {"instances": count})
        wait_until(f"{count} run", lambda count=count: lab.api.get("/v2/apps/idle")["app"]["tasksRunning"] == count, LAUNCH_SECONDS)
        time.sleep(SETTLE_SECONDS)
        before = cpu_seconds(executor), cpu_seconds(dockerd)
        begun = time.monotonic()
        time.sleep(CPU_SECONDS)
        took = time.monotonic() - begun
        found.append({"containers": count, "rss_anon_mb": rss_anon_mb(executor), "seconds": took,
                      "cpu_percent": (cpu_seconds(executor) - before[0]) / took * 100,
                      "dockerd_cpu_percent": (cpu_seconds(dockerd) - before[1]) / took * 100})
        print(found[-1], flush=True)
    # The lab's own end is not made for hundreds of containers.
    lab.api.delete("/v2/apps/idle?force=true")
    wait_until("they are gone", lambda: not lab.hosts[0].docker.get("/containers/json"), LAUNCH_SECONDS)
    return {"counts": found}
