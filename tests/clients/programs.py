"""Programs that the client tests start on loopback, each with a log of its own, ended by their own ids. A test that
needs Docker starts a dockerd in its folder; the system's is never touched."""

import ctypes
import pathlib
import signal
import socket
import subprocess

from tests.support.rest import Rest, wait_until

STOP_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Program:
    """A child process; its output goes to `log`, which is appended to."""

    def __init__(self, words, log, **more):
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=output, preexec_fn=die_with_parent, **more)

    def alive(self):
        return self.child.poll() is None

    def wait(self, seconds=STOP_SECONDS):
        return self.child.wait(seconds)

    def stop(self):
        """SIGTERM, and SIGKILL when that does not help; returns the exit code."""
        if self.alive():
            self.child.terminate()
        try:
            return self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        if self.alive():
            self.child.kill()
        return self.child.wait()

    def tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class MasterProgram:
    """A methos-master with a data directory of its own; start() again is the same master restarted."""

    def __init__(self, binary, folder, *flags):
        self.binary, self.flags = binary, flags
        self.data_dir = pathlib.Path(folder) / "master"
        self.data_dir.mkdir(parents=True)
        self.port, self.bus_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.api = None

    def start(self):
        self.process = Program([self.binary, "--http", f"127.0.0.1:{self.port}", "--bus",
                                f"tcp://127.0.0.1:{self.bus_port}", "--data-dir", self.data_dir, *self.flags],
                               self.data_dir.with_suffix(".log"))
        wait_until("the master answers", lambda: self.alive() and Rest(self.url).raw("GET", "/ping")[0] == 200, 60)
        token = (self.data_dir / "admin.token").read_text().strip()
        self.api = Rest(self.url, {"Authorization": f"Bearer {token}"})
        return self

    def alive(self):
        if not self.process.alive():
            raise AssertionError(f"the master ended:\n{self.process.tail()}")
        return True

    def kill(self):
        if self.process:
            self.process.kill()
