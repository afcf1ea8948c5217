"""A real methos-master under an emulated fleet: fleet_bench plays the executors over the real bus, the tasks are launched
through the HTTP API, and everything runs on this machine's cores together. No Docker, no lab, loopback only.

Every phase has a limit. What must never happen (a host lost, a task launched twice, a port given twice) is part of the
figures, and said loudly."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from tests.clients.programs import MasterProgram, die_with_parent
from tests.support.rest import Rest, wait_until

HOSTS = int(os.environ.get("METHOS_FLEET_HOSTS") or "1000")
TASKS = int(os.environ.get("METHOS_FLEET_TASKS") or "100000")
APPS = 100  # the first figure; the second is the same number of tasks in FEW_APPS
FEW_APPS = 5
JOIN_SECONDS = 120
PHASE_SECONDS = int(os.environ.get("METHOS_FLEET_SECONDS") or "300")
POLL_SECONDS = 0.25
DESCRIPTORS = 20_000
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Fleet:
    """fleet_bench as a child; report() asks it for its figures."""

    def __init__(self, token_file, log):
        binary = pathlib.Path(os.environ["METHOS_BUILD"]) / "tests" / "bench" / "fleet_bench"
        with open(log, "ab") as errors:
            self.child = subprocess.Popen([binary, token_file, str(HOSTS)], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=die_with_parent)

    def report(self, end_of_phase=False):
        """With `end_of_phase` the round trips begin anew."""
        self.child.stdin.write("p" if end_of_phase else "r")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise AssertionError(f"fleet_bench ended with {self.child.wait()}")
        return json.loads(line)

    def stop(self):
        self.child.stdin.close()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def status_kb(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as line:
        fields = line.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


class Watch:
    """One phase: its time, the master's CPU and memory, and how long GET /v2/apps takes meanwhile."""

    def __init__(self, bench):
        self.bench = bench
        self.fleet_before = bench.fleet.report(end_of_phase=True)
        self.pid = bench.master.process.child.pid
        self.cpu_before = cpu_seconds(self.pid)
        self.began = time.monotonic()
        self.listings = []
        self.peak_kb = 0
        self.over = threading.Event()
        self.sampler = threading.Thread(target=self.sample, daemon=True)
        self.sampler.start()

    def sample(self):
        while not self.over.wait(0.1):
            try:
                self.peak_kb = max(self.peak_kb, status_kb(self.pid, "RssAnon"))
            except (OSError, StopIteration):
                return  # the master was killed

    def apps(self):
        """The listing's apps, or nothing while the master does not answer; timed."""
        began = time.monotonic()
        found = self.bench.master.api.get("/v2/apps", timeout=60)["apps"]
        self.listings.append(time.monotonic() - began)
        return found

    def until(self, what, condition, seconds=PHASE_SECONDS):
        wait_until(what, condition, seconds, POLL_SECONDS)
        return time.monotonic() - self.began

    def end(self, seconds):
        self.over.set()
        self.sampler.join()
        fleet = self.bench.fleet.report(end_of_phase=True)
        before = self.fleet_before
        found = {"seconds": seconds, "master_cpu_s": cpu_seconds(self.pid) - self.cpu_before,
                 "peak_rss_anon_mb": self.peak_kb / 1024, "rss_anon_mb": status_kb(self.pid, "RssAnon") / 1024,
                 "longest_stall_ms": fleet["round_trip_longest_ms"], "stall_p99_ms": fleet["round_trip_p99_ms"],
                 "stall_median_ms": fleet["round_trip_median_ms"],
                 "listing_longest_ms": max(self.listings, default=0) * 1000,
                 "listing_median_ms": sorted(self.listings)[len(self.listings) // 2] * 1000 if self.listings else 0,
                 "sessions_lost": fleet["sessions_lost"] - before["sessions_lost"],
                 "statuses": fleet["statuses_sent"] - before["statuses_sent"],
                 "fleet_pauses": fleet["own_pauses"] - before["own_pauses"],
                 "state_mb": self.bench.state_bytes() / 1e6}
        print(json.dumps({"phase": self.bench.phase, **found}), flush=True)
        for wrong in ("launched_twice", "port_clashes", "bad_frames"):
            if fleet[wrong]:
                print(f"bench: {wrong}: {fleet[wrong]}", file=sys.stderr, flush=True)
            found[wrong] = fleet[wrong]
        return found


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.phase = ""
        self.master = MasterProgram(pathlib.Path(os.environ["METHOS_BUILD"]) / "master" / "methos-master", folder)
        self.master.start()
        self.fleet = Fleet(self.master.data_dir / "join.token", folder / "fleet.log")

    def state_bytes(self):
        return sum(file.stat().st_size for file in self.master.data_dir.glob("state.db*"))

    def hosts_up(self):
        return sum(host["state"] == "UP" for host in self.master.api.get("/methos/v1/hosts", timeout=60)["hosts"])

    def watch(self, phase):
        self.phase = phase
        return Watch(self)

    def join(self):
        watch = self.watch("join")
        return watch.end(watch.until(f"{HOSTS} hosts are UP", lambda: self.hosts_up() == HOSTS, JOIN_SECONDS))

    def deploy(self, prefix, apps):
        """The apps' definitions; each answer comes when it is durable."""
        api = Rest(self.master.url, self.master.api.headers, timeout=60, keep_alive=True)
        for number in range(apps):
            api.post("/v2/apps", {"id": f"/{prefix}-{number}", "cmd": "sleep 100000", "instances": TASKS // apps,
                                  "cpus": 0.01, "mem": 16, "container": {"type": "DOCKER", "docker": {"image": "demo:1"}}})
        api.close()

    def launch(self, prefix, apps):
        watch = self.watch(f"launch {apps} apps")
        self.deploy(prefix, apps)
        return watch.end(watch.until("all run", lambda: running(watch.apps(), prefix) == TASKS))

    def scale_to_zero(self, prefix):
        watch = self.watch("scale to 0")
        names = [app["id"] for app in watch.apps() if app["id"].startswith(f"/{prefix}-")]
        for name in names:
            self.master.api.put(f"/v2/apps{name}?force=true", {"instances": 0}, timeout=60)
        took = watch.until("nothing is left", lambda: all(app["tasksRunning"] == app["tasksStaged"] == 0
                                                          for app in watch.apps())
                           and self.fleet.report()["running"] == 0)
        return watch.end(took)

    def restart(self, phase, known):
        """Kills the master and starts it again; the seconds are from the start of the new one until `known` holds."""
        self.master.kill()
        began = time.monotonic()
        self.master.start()
        answers = time.monotonic() - began
        watch = self.watch(phase)
        watch.began, watch.cpu_before = began, 0
        found = watch.end(watch.until("all hosts and tasks are back", lambda: self.hosts_up() == HOSTS and known(watch)))
        return {**found, "answers_s": answers}

    def restart_amid(self, prefix, apps):
        """kill -9 when half of the tasks run."""
        self.deploy(prefix, apps)
        wait_until("half of them run", lambda: self.fleet.report()["running"] >= TASKS // 2, PHASE_SECONDS, 0.05)
        return self.restart("killed amid a launch", lambda watch: running(watch.apps(), prefix) == TASKS)

    def close(self):
        self.fleet.stop()
        self.master.kill()


def running(apps, prefix):
    return sum(app["tasksRunning"] for app in apps if app["id"].startswith(f"/{prefix}-"))


def measure():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-fleet-"))
    bench = Bench(folder)
    found = {"hosts": HOSTS, "tasks": TASKS}
    try:
        found["join"] = bench.join()
        found["many_apps"] = bench.launch("many", APPS)
        found["restart"] = bench.restart("restarted", lambda watch: running(watch.apps(), "many") == TASKS)
        found["scale_to_zero"] = bench.scale_to_zero("many")
        found["few_apps"] = bench.launch("few", FEW_APPS)
        found["few_to_zero"] = bench.scale_to_zero("few")
        found["killed_amid"] = bench.restart_amid("again", APPS)
        found["launches"] = bench.fleet.report()["launches"]
        found["hosts_lost"] = bench.master.process.log.read_text(errors="replace").count(" is lost")
        return found
    except BaseException:
        print(bench.master.process.tail(60), file=sys.stderr, flush=True)
        raise
    finally:
        bench.close()
        if os.environ.get("METHOS_FLEET_KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)


def rows(found):
    """For the table: see rows() in run.py."""
    scale = f"{found['tasks']} tasks on {found['hosts']} emulated hosts, on the same cores"
    for key, apps in (("many_apps", APPS), ("few_apps", FEW_APPS)):
        phase = found[key]
        yield (f"launching {scale}, {apps} apps: until GET /v2/apps says that all run; CPU of the master {phase['master_cpu_s']:.0f} s",
               f"{phase['seconds']:.1f} s ({found['tasks'] / phase['seconds']:.0f}/s)", "", "", "", None)
    many = found["many_apps"]
    yield (f"the same, {APPS} apps: RssAnon of the master with all running (most during the launch "
           f"{many['peak_rss_anon_mb']:.0f} MB)", f"{many['rss_anon_mb']:.0f} MB", "", "", "200 MB",
           many["rss_anon_mb"] <= 200)
    worst = max((phase for phase in found.values() if isinstance(phase, dict)), key=lambda phase: phase["longest_stall_ms"])
    yield (f"longest time from a BEAT to its answer in all of this (99 of 100: {many['stall_p99_ms']:.0f} ms; a host is lost after "
           "2000 ms)", f"{worst['longest_stall_ms']:.0f} ms", "", "", "", None)
    yield (f"GET /v2/apps during the launch of {APPS} apps, median and longest",
           f"{many['listing_median_ms']:.0f} and {many['listing_longest_ms']:.0f} ms", "", "", "", None)
    lost = sum(phase["sessions_lost"] for key, phase in found.items() if isinstance(phase, dict) and
               key not in ("restart", "killed_amid"))
    yield ("sessions lost without a restart of the master; tasks launched twice, ports given twice",
           f"{lost}; {many['launched_twice']}, {many['port_clashes']}", "", "", "0", lost == 0)
    yield (f"the master with all of this killed and started again: until every host is UP and every task runs (answers after "
           f"{found['restart']['answers_s']:.1f} s)", f"{found['restart']['seconds']:.1f} s", "", "", "", None)
    yield ("killed amid the launch: from its new start until all run", f"{found['killed_amid']['seconds']:.1f} s", "", "", "",
           None)
    yield (f"all of it scaled to 0; `state.db` had {found['restart']['state_mb']:.0f} MB",
           f"{found['scale_to_zero']['seconds']:.1f} s", "", "", "", None)
