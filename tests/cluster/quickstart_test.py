"""What scripts/quickstart does beside building: starting, stopping, purging, and refusing what is not its own.

The script runs for real, on a machine made up for it: process and mount namespaces with an empty /var/lib and /run. The
programs, the compiler and Docker are stand-ins that write down what they were asked, so that a test takes a moment.
This test is process 1 there and collects nobody, as in a container without an init: whoever ends stays as a zombie.
"""

import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support.rest import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77  # Meson's exit code for "skipped"
USAGE = 2
INSIDE = "--inside"
DATA = pathlib.Path("/var/lib/methos")
RUN = pathlib.Path("/run/methos")
HOST_ID = "0123456789abcdef" * 2
CONTAINER = "c0ffee00" * 8
DAEMONS = {"master": "master/methos-master", "executor": "executor/methos-executor",
           "proxy": "registry-proxy/methos-registry-proxy"}

# It makes its data, tells a secret, and waits as a program of its own name (the kernel's name and the first word).
DAEMON = r"""#!/usr/bin/env bash
set -e
name=$(basename "$0")
folder=
while [ $# -gt 0 ]; do case $1 in --data-dir | --cache-dir) folder=$2; shift ;; esac; shift; done
mkdir -p "$folder"
echo secret > "$folder/admin.token"
[ "$name" != methos-executor ] || echo HOST_ID > "$folder/host.id"
echo "a secret in the log"
exec -a "$0" "TREE/waiting/$name" 1000
"""

# Docker and the master as the script sees them: one that answers, with one container of our host.
CURL = r"""#!/usr/bin/env bash
echo "$*" >> TREE/curl.log
case "$*" in
    *_ping) echo -n OK ;;
    *GET*containers/json*io.methos.host%3DHOST_ID*) echo '[{"Id":"CONTAINER"}]' ;;
esac
"""

NOTHING = "#!/bin/sh\nexit 0\n"


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        for folder in ("/var/lib", "/run"):
            subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        self.children = []
        self.addCleanup(self.end_all)
        self.tree = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.tree)
        self.script = self.tree / "scripts/quickstart"
        self.script.parent.mkdir()
        shutil.copy2(ROOT / "scripts/quickstart", self.script)
        for path in ("scripts/install-deps", "demo/wait.py", "demo/image.py", "build/cli/methos", "bin/ninja",
                     "build/build.ninja"):
            self.program(path, NOTHING if not path.endswith(".py") else "")
        self.program("bin/curl", CURL)
        for path in DAEMONS.values():
            self.program("build/" + path, DAEMON)
            self.waiting(pathlib.Path(path).name)

    def program(self, path, text):
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        for word, meaning in (("TREE", self.tree), ("HOST_ID", HOST_ID), ("CONTAINER", CONTAINER)):
            text = text.replace(word, str(meaning))
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)

    def waiting(self, name):
        """A program of this name that only waits."""
        file = self.tree / "waiting" / name
        file.parent.mkdir(exist_ok=True)
        shutil.copy2(shutil.which("sleep"), file)
        return file

    def end_all(self):
        """Everything in this namespace is this test's; only here are the dead collected."""
        assert os.getpid() == 1, "not in a namespace of its own: nothing may be killed"
        for process in pathlib.Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)
        for child in self.children:
            child.wait()
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            pass

    def quickstart(self, *words, expect=0, **environment):
        path = f"{self.tree / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run([self.script, *words], env={**os.environ, "PATH": path, **environment}, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(expect, done.returncode, done.stdout)
        return done.stdout

    def pid(self, name):
        return int((RUN / f"{name}.pid").read_text(encoding="ascii"))

    @staticmethod
    def has_ended(pid):
        """Dead; its entry in the process table may stay."""
        file = pathlib.Path(f"/proc/{pid}/cmdline")
        return not file.exists() or not file.read_bytes()

    def kill(self, name):
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(f"{name} is dead", lambda: self.has_ended(pid), 20)
        self.assertTrue(pathlib.Path(f"/proc/{pid}").exists(), "this test is worth nothing without the zombie")
        return pid

    def asked_of_docker(self):
        return (self.tree / "curl.log").read_text(encoding="utf-8")

    def test_stop_ends_the_daemons_and_removes_their_containers(self):
        self.quickstart()
        pids = [self.pid(name) for name in DAEMONS]
        self.quickstart("stop")
        for pid in pids:
            self.assertTrue(self.has_ended(pid))
        self.assertIn(f"-X DELETE http://docker/containers/{CONTAINER}?force=1", self.asked_of_docker())
        self.assertTrue((DATA / "executor/host.id").exists())

    def test_a_killed_daemon_is_started_again_beside_those_that_run(self):
        self.quickstart()
        master, killed = self.pid("master"), self.kill("executor")
        self.assertIn("starting executor", self.quickstart())
        self.assertNotEqual(killed, self.pid("executor"))
        self.assertEqual(master, self.pid("master"))
        self.assertFalse(self.has_ended(master))

    def test_a_killed_daemon_does_not_keep_the_data_from_being_purged(self):
        self.quickstart()
        self.kill("executor")
        self.quickstart("--purge")
        self.assertFalse(DATA.exists())
        self.assertFalse(RUN.exists())

    def test_a_daemon_of_somebody_else_on_the_data_is_respected(self):
        self.quickstart()
        self.quickstart("stop")
        before = self.asked_of_docker()
        self.children.append(subprocess.Popen([self.waiting("methos-executor"), "1000"]))
        wait_until("it is the program", lambda: self.children[0].args[0].name in pathlib.Path(
            f"/proc/{self.children[0].pid}/comm").read_text(encoding="utf-8"), 20)
        for words in ((), ("--purge",)):
            self.assertIn(f"methos-executor (pid {self.children[0].pid}) works on", self.quickstart(*words, expect=1))
        self.assertIn("leaving the containers alone", self.quickstart("stop"))
        self.assertEqual(before, self.asked_of_docker())
        self.assertTrue((DATA / "executor/host.id").exists())

    def test_what_the_daemons_tell_and_make_is_for_root_alone(self):
        RUN.mkdir()
        (RUN / "master.log").touch(0o644)  # of a start before this was so
        self.quickstart()
        for name in DAEMONS:
            for file in (RUN / f"{name}.log", DATA / name / "admin.token"):
                self.assertIn("secret", file.read_text(encoding="utf-8"))
                self.assertEqual(0o600, stat.S_IMODE(file.stat().st_mode), file)

    def test_purging_leaves_no_mount_of_docker_behind(self):
        self.quickstart()
        for left in (RUN / "docker/netns/default", DATA / "docker/overlay2/a b/merged"):
            left.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "none", left], check=True)
        self.assertIn("is removed", self.quickstart("--purge"))
        self.assertFalse(RUN.exists())
        self.assertFalse(DATA.exists())

    def test_a_word_too_many_is_refused_before_anything_is_done(self):
        self.quickstart()
        for words in (("--purge", "stop"), ("stop", "extra")):
            self.assertIn(f"'{words[1]}'", self.quickstart(*words, expect=USAGE))
        for name in DAEMONS:
            self.assertFalse(self.has_ended(self.pid(name)))

    def test_two_equal_ports_are_named_before_anything_is_started(self):
        told = self.quickstart(expect=USAGE, METHOS_HTTP_PORT="5000")
        self.assertIn("METHOS_HTTP_PORT and METHOS_PROXY_PORT are both 5000", told)
        self.quickstart(expect=USAGE, METHOS_BUS_PORT="8080")
        self.quickstart(expect=USAGE, METHOS_BUS_PORT="5000")
        self.assertFalse(RUN.exists())


def why_not():
    if os.geteuid() != 0:
        return "needs root (namespaces)"
    return "" if shutil.which("unshare") else "unshare is missing; apt-get install util-linux"


if __name__ == "__main__":
    if INSIDE in sys.argv:
        sys.argv.remove(INSIDE)
        unittest.main(verbosity=2)
    reason = why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable,
                          __file__, INSIDE, *sys.argv[1:]])
