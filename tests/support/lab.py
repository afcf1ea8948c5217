"""Several hosts on one machine, for the cluster tests and the bench.

Each host is a network namespace with its own dockerd and, when asked, methos-executor; a hub namespace holds the bridge
between them, the master, the proxy and docker-registry as upstream. The test enters the hub's namespace, so ports are
the lab's own and nothing of the machine's network or Docker is touched. Needs root, docker.io and docker-registry.

    with Lab() as lab:
        lab.start_registry(); lab.start_proxy(); lab.start_master()
        hosts = [lab.add_host() for _ in range(3)]

`lab_guardian.py` removes everything when the lab is closed or its owner dies.
"""

import ctypes
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from demo import image as demo_image
from tests.support import lab_guardian
from tests.support.rest import Rest, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("METHOS_BUILD") or ROOT / "build")
MASTER = BUILD / "master/methos-master"
EXECUTOR = BUILD / "executor/methos-executor"
PROXY = BUILD / "registry-proxy/methos-registry-proxy"
CLI = BUILD / "cli/methos"
CLONE_NEWNET = 0x40000000
HUB_IP = "10.99.0.1"
MASTER_URL = f"http://{HUB_IP}:8080"
PROXY_URL = f"http://{HUB_IP}:5000"
UPSTREAM_URL = f"http://{HUB_IP}:5999"
UPSTREAM_NAME = "lab.example"  # the upstream's host as references write it
LOG_TAIL_LINES = 40
DISK_WATERMARK_BYTES = 64 * 1024 * 1024  # of every host's Docker; small, since what runs the tests may be nearly full
START_SECONDS = 60  # for a daemon on a machine that is busy with other work


class LabError(RuntimeError):
    """The lab itself cannot do what was asked; not a finding about Methos."""


def why_not():
    """Why no lab can be had here, or an empty string."""
    if os.geteuid() != 0:
        return "needs root (network namespaces, dockerd)"
    for program, package in (("dockerd", "docker.io"), ("docker-registry", "docker-registry"), ("ip", "iproute2"),
                             ("nsenter", "util-linux"), ("openssl", "openssl"), ("curl", "curl")):
        if not shutil.which(program):
            return f"{program} is missing; apt-get install {package}"
    return ""


def command(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def enter_namespace(path):
    """Moves this thread, and what it starts from now on, into a network namespace."""
    with open(path, "rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise LabError(f"cannot enter {path}: {os.strerror(ctypes.get_errno())}")


class Process:
    """A program that the lab runs, with its log; started again with the same words by start()."""

    def __init__(self, lab, name, words, namespace, environment=None):
        self.name = name
        self.environment = {**os.environ, **(environment or {})}
        self.log = lab.folder / "logs" / f"{name}.log"
        self.words = words
        self.namespace = namespace
        self.child = None

    def start(self, *more):
        assert not self.alive(), f"{self.name} runs already"
        with open(self.log, "ab") as log:
            # nsenter and not `ip netns exec`, which hides the cgroup mounts from dockerd.
            self.child = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.namespace}", *map(str, self.words), *map(str, more)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=self.environment)
        return self

    def alive(self):
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self):
        return self.child.pid

    def kill(self):
        """SIGKILL, and the zombie is collected: a new dockerd refuses while the old id is in the process table."""
        self.child.kill()
        self.child.wait()

    def stop(self, seconds=30):
        """SIGTERM; returns the exit code. Kills after `seconds`, which is then a LabError."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"{self.name} did not end within {seconds} s of SIGTERM") from None

    def require_alive(self):
        if not self.alive():
            raise LabError(f"{self.name} ended with code {self.child.returncode}:\n{self.tail()}")
        return True

    def tail(self, lines=LOG_TAIL_LINES):
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Host:
    """One simulated machine: `docker` is its Engine's API, `dockerd` and `executor` its processes."""

    def __init__(self, lab, number, live_restore, environment=None, disk_bytes=None):
        self.lab = lab
        self.name = f"h{number}"
        self.ip = f"10.99.0.{10 + number}"
        self.namespace = f"{lab.name}-{self.name}"
        self.link = f"{lab.name}{self.name}"
        self.folder = lab.folder / self.name
        self.socket = self.folder / "docker.sock"
        self.docker = Rest(f"unix://{self.socket}", timeout=60)
        self.executor = None
        self.folder.mkdir()
        if disk_bytes:
            (self.folder / "root").mkdir()
            command("mount", "-t", "tmpfs", "-o", f"size={disk_bytes}", "tmpfs", self.folder / "root")
        self.connect_link()
        config = {"live-restore": live_restore, "insecure-registries": [f"{HUB_IP}:5000", f"{HUB_IP}:5999"],
                  "bip": f"172.29.{number}.1/24", "log-opts": {"max-size": "1m", "max-file": "2"}}
        (self.folder / "daemon.json").write_text(json.dumps(config), encoding="utf-8")
        self.dockerd = Process(lab, f"dockerd-{self.name}", [
            "dockerd", "--config-file", self.folder / "daemon.json", "--data-root", self.folder / "root",
            "--exec-root", self.folder / "exec", "--pidfile", self.folder / "docker.pid", "-H", f"unix://{self.socket}",
            "--cgroup-parent", f"/{self.namespace}", "--containerd-namespace", self.namespace,
            "--containerd-plugins-namespace", f"{self.namespace}-plugins", "--log-level", "warn"], self.namespace, environment)
        lab.processes.append(self.dockerd)

    def connect_link(self):
        hub = self.lab.hub
        command("ip", "netns", "add", self.namespace)
        command("ip", "-n", self.namespace, "link", "set", "lo", "up")
        command("ip", "-n", hub, "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        command("ip", "-n", hub, "link", "set", self.link, "master", "br0", "up")
        command("ip", "-n", self.namespace, "addr", "add", f"{self.ip}/24", "dev", "eth0")
        command("ip", "-n", self.namespace, "link", "set", "eth0", "up")
        command("ip", "-n", self.namespace, "route", "add", "default", "via", HUB_IP)

    def cut_link(self):
        """As a pulled cable: the host lives on, and nobody is told."""
        command("ip", "-n", self.lab.hub, "link", "set", self.link, "down")

    def mend_link(self):
        command("ip", "-n", self.lab.hub, "link", "set", self.link, "up")

    def disk(self):
        """Of Docker's data, as statvfs tells it."""
        return os.statvfs(self.folder / "root")

    def start_dockerd(self):
        self.dockerd.start()

    def kill_dockerd(self):
        """SIGKILL to dockerd; its containerd dies with it, and the containers live on. A new dockerd would take the
        old containerd's id for a running one while it is a zombie that nobody has collected, so its file goes."""
        pid_file = self.folder / "exec" / "containerd" / "containerd.pid"
        containerd = int(pid_file.read_text(encoding="ascii")) if pid_file.exists() else None
        self.dockerd.kill()
        if containerd:
            wait_until("the killed dockerd's containerd is gone", lambda: lab_guardian.is_zombie(containerd))
            pid_file.unlink(missing_ok=True)

    def wait_dockerd(self):
        wait_until(f"dockerd of {self.name} answers",
                   lambda: self.dockerd.require_alive() and self.docker.raw("GET", "/_ping", timeout=2)[0] == 200,
                   START_SECONDS)

    def start_executor(self, *more, join=None):
        """Starts the executor, the first time with these flags, later with the same ones again."""
        if self.executor is None:
            self.executor = self.make_executor(f"executor-{self.name}", self.executor_command(*more, join=join))
        self.executor.start()
        return self.executor

    def executor_command(self, *more, join=None, hostname=None, ports="31000-31999", data_dir=None, proxy=PROXY_URL):
        return [EXECUTOR, "--join", join or f"@{self.lab.master_folder}/join.token",
                "--docker", f"unix://{self.socket}", "--registry-proxy", proxy, "--hostname", hostname or self.name,
                "--resources", f"cpus:4;mem:2048;disk:10000;ports:[{ports}]",
                "--disk-watermark", str(DISK_WATERMARK_BYTES), "--data-dir", data_dir or self.folder / "executor", *more]

    def make_executor(self, name, words):
        process = Process(self.lab, name, words, self.namespace)
        self.lab.processes.append(process)
        return process

    def containers(self, every=False):
        """Inspect documents of the containers that Methos made here (`every`: stopped ones too)."""
        filters = urllib.parse.quote(json.dumps({"label": ["io.methos.v=1"]}))
        listed = self.docker.get(f"/containers/json?all={'1' if every else '0'}&filters={filters}")
        return [self.docker.get(f"/containers/{entry['Id']}/json") for entry in listed]


class Lab:
    """The hub and its hosts. One at a time in a process, which is in the hub's namespace until close()."""

    def __init__(self):
        lab_guardian.sweep()
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.name = f"mlab{secrets.token_hex(3)}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=lab_guardian.FOLDER_PREFIX))
        self.hub = f"{self.name}-hub"
        self.hosts = []
        self.processes = []
        self.master_folder = self.folder / "master"
        self.proxy_folder = self.folder / "proxy"
        self.registry = self.proxy = self.master = None
        (self.folder / "logs").mkdir()
        (self.folder / "lab.json").write_text(json.dumps({"name": self.name, "owner": os.getpid()}), encoding="utf-8")
        self.guardian = subprocess.Popen(
            [sys.executable, lab_guardian.__file__, self.folder, str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        if self.guardian.stdout.readline() != b"guarding\n":
            raise LabError("the lab's guardian did not start")
        try:
            command("ip", "netns", "add", self.hub)
            command("ip", "-n", self.hub, "link", "set", "lo", "up")
            command("ip", "-n", self.hub, "link", "add", "br0", "type", "bridge")
            command("ip", "-n", self.hub, "addr", "add", f"{HUB_IP}/24", "dev", "br0")
            command("ip", "-n", self.hub, "link", "set", "br0", "up")
            enter_namespace(f"/run/netns/{self.hub}")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends and removes everything; raises when something could not be removed."""
        if self.guardian is None:
            return
        enter_namespace(f"/proc/self/fd/{self.outside}")
        os.close(self.outside)
        self.guardian.stdin.close()
        self.guardian.stdout.close()
        code = self.guardian.wait(lab_guardian.CLEANUP_SECONDS_MAX + 30)
        self.guardian = None
        for process in self.processes:
            if process.child is not None:
                process.child.wait()
        if code:
            raise LabError("the lab could not be removed completely; its guardian's message is above")

    def add_host(self, live_restore=True, environment=None, disk_bytes=None):
        """`environment`: more variables for its dockerd; `disk_bytes`: Docker's data gets a disk of its own, so large."""
        host = Host(self, len(self.hosts) + 1, live_restore, environment, disk_bytes)
        self.hosts.append(host)
        host.start_dockerd()
        return host

    def run(self, name, *words):
        """A further program in the hub."""
        process = Process(self, name, list(words), self.hub)
        self.processes.append(process)
        return process.start()

    def run_to_end(self, *words, seconds=START_SECONDS, environment=None, namespace=None):
        """A program in the hub, or a host's namespace, that is expected to end by itself; returns it with its code and
        text."""
        inside = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
        return subprocess.run([*inside, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False, env={**os.environ, **(environment or {})})

    def start_registry(self):
        """docker-registry as the upstream that references call lab.example."""
        config = {"version": 0.1, "log": {"accesslog": {"disabled": False}, "level": "warn"},
                  "storage": {"filesystem": {"rootdirectory": str(self.folder / "registry")}},
                  "http": {"addr": f"{HUB_IP}:5999"}}
        path = self.folder / "registry.yml"
        path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        self.registry = self.run("registry", "docker-registry", "serve", path)
        wait_until("docker-registry answers",
                   lambda: self.registry.require_alive() and Rest(UPSTREAM_URL).raw("GET", "/v2/")[0] == 200,
                   START_SECONDS)

    def push(self, name, tag="1", url=UPSTREAM_URL, **build):
        """Builds an image (see demo/image.py) and pushes it to the upstream; returns it."""
        image = demo_image.build(**build)
        demo_image.Registry(url).push(name, tag, image)
        return image

    def start_proxy(self, *more):
        if self.proxy is None:
            self.proxy = Process(self, "proxy", [
                PROXY, "--http", "0.0.0.0:5000",
                "--cache-dir", self.proxy_folder, "--upstream", f"{UPSTREAM_NAME}={UPSTREAM_URL}", *more], self.hub)
            self.processes.append(self.proxy)
        self.proxy.start()
        wait_until("the proxy answers",
                   lambda: self.proxy.require_alive() and Rest(PROXY_URL).raw("GET", "/v2/")[0] == 200, START_SECONDS)

    def start_master(self, *more):
        if self.master is None:
            self.master = Process(self, "master", [*self.master_command(self.master_folder), *more], self.hub)
            self.processes.append(self.master)
        self.master.start()
        self.wait_master()

    @staticmethod
    def master_command(folder):
        return [MASTER, "--http", f"{HUB_IP}:8080", "--bus", f"tcp://{HUB_IP}:5051", "--data-dir", folder]

    def wait_master(self):
        wait_until("the master answers /ping",
                   lambda: self.master.require_alive() and Rest(MASTER_URL).raw("GET", "/ping")[0] == 200, START_SECONDS)

    @property
    def token(self):
        return (self.master_folder / "admin.token").read_text(encoding="ascii").strip()

    @property
    def api(self):
        """The master's API with the administrator's token."""
        return Rest(MASTER_URL, {"Authorization": f"Bearer {self.token}"})

    def cli(self, *words, seconds=120):
        """Runs `methos` against this lab; returns the finished process with its text."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "METHOS_URL": MASTER_URL,
                       "METHOS_TOKEN": self.token, "METHOS_REGISTRY": PROXY_URL}
        return subprocess.run([CLI, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=seconds, env=environment, check=False)

    def tails(self):
        """The ends of all logs, for a failed test."""
        parts = [f"---- {process.name} ({'alive' if process.alive() else 'ended'})\n{process.tail()}"
                 for process in self.processes]
        return "\n".join(parts)
