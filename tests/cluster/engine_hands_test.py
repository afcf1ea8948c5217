"""What people, the kernel and Docker's own housekeeping do to containers behind Methos's back: removed, untagged, killed, out of
memory, a port taken by somebody else, a log that is rotated while it is followed. Each is told as what it is, once, and the
app has what it wants again."""

import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase
from tests.support.lab import CLI, HUB_IP, MASTER_URL, UPSTREAM_NAME
from tests.support.rest import wait_until

STAY = "trap 'exit 0' TERM; sleep 100000 & wait $!"
TAKEN_PORT = 31500
LINE_BYTES = 8192  # of each line that COUNT_LINES says
BATCH_LINES = 200  # much less than the 10 MB of a log file: a reader who keeps up has each line before it is deleted
BATCHES = 20  # so many of them fill the three files that there are
STORM_LINES = 6000
STALL_SECONDS = 60 + SETTLE_SECONDS  # a follow that Docker has lost sight of is opened again after a minute
COUNT_LINES = f"""
n=0; x=.; i=0; while [ $i -lt 13 ]; do x=$x$x; i=$((i+1)); done
say() {{ i=0; while [ $i -lt $1 ]; do n=$((n+1)); i=$((i+1)); echo "line $n $x"; done; }}
trap 'say {BATCH_LINES}' USR1; trap 'say {STORM_LINES}' USR2; trap 'exit 0' TERM
say 1
while :; do sleep 100000 & wait $!; kill $!; done"""
LONG_BYTES = 64 * 1024


class EngineHandsTest(ClusterCase):
    hosts_wanted = 1

    @property
    def host(self):
        return self.lab.hosts[0]

    def wait_replaced(self, app, container):
        """By one other container, and nothing is left of the first; its end is told once."""
        wait_until(f"{container['Id']} is replaced", lambda: {found["Id"] for found in self.containers(app)}
                   - {container["Id"]}, SETTLE_SECONDS)
        self.wait_running(app, 1)
        self.assert_one_container_per_task(app)
        task = container["Config"]["Labels"]["io.methos.task"]
        self.assertEqual(1, sum(f"task={task} state=TASK_FAILED" in line for line in self.executor_log()))

    def executor_log(self):
        return self.host.executor.log.read_text(encoding="utf-8").splitlines()

    def test_a_container_that_somebody_removes_is_replaced(self):
        app = self.deploy("removed-by-hand", 1, cmd=STAY)
        container = self.containers(app)[0]
        self.host.docker.delete(f"/containers/{container['Id']}?force=1")
        self.wait_replaced(app, container)
        self.assertRegex(self.last_failure(app), "somebody removed the container")

    def test_a_process_that_somebody_kills_is_a_failure_with_its_signal(self):
        app = self.deploy("killed-by-hand", 1, cmd=STAY)
        container = self.containers(app)[0]
        os.kill(container["State"]["Pid"], signal.SIGKILL)
        self.wait_replaced(app, container)
        self.assertRegex(self.last_failure(app), "SIGKILL.*137")
        self.assertNotRegex(self.last_failure(app), "memory|Docker")

    def test_a_task_that_somebody_pauses_or_renames_stays_the_same_and_can_be_ended(self):
        app = self.deploy("paused", 2, cmd=STAY)
        before = self.snapshot(app)
        paused, renamed = self.containers(app)
        self.host.docker.post(f"/containers/{paused['Id']}/pause")
        self.host.docker.post(f"/containers/{renamed['Id']}/rename?name=somebody-elses-name")
        task = paused["Config"]["Labels"]["io.methos.task"]
        told = f'task={task} state=TASK_RUNNING message="'
        wait_until("the pause is told", lambda: any(told in line and "paused" in line for line in self.executor_log()), SETTLE_SECONDS)
        self.host.executor.kill()
        self.host.start_executor()
        self.wait_hosts_up()
        self.wait_running(app, 2)
        self.assertEqual(before, self.snapshot(app))
        self.lab.api.put("/v2/apps/paused", {"instances": 0})
        wait_until("both are gone, the paused one too", lambda: not self.containers(app, every=True), SETTLE_SECONDS)
        self.assertEqual("", self.last_failure(app))

    def test_a_process_that_takes_too_much_memory_is_told_so(self):
        # Once only: the second instance finds the file, and stays.
        mark = self.lab.folder / "has-eaten"
        mark.mkdir()
        app = self.definition("greedy", 1, cmd=f"mkdir /mark/once || {{ {STAY}; }}; x=0123456789abcdef; while :; do x=$x$x; done")
        app["container"]["volumes"] = [{"hostPath": str(mark), "containerPath": "/mark", "mode": "RW"}]
        self.lab.api.post("/v2/apps", app)
        wait_until("its end is told", lambda: self.last_failure("/greedy"), SETTLE_SECONDS)
        self.assertRegex(self.last_failure("/greedy"), "ran out of memory")
        self.wait_running("/greedy", 1)
        limits = self.containers("/greedy")[0]["HostConfig"]
        self.assertGreater(limits["Memory"], 0)
        if self.host.docker.get("/info")["SwapLimit"]:  # else Docker has taken it away
            self.assertEqual(limits["Memory"], limits["MemorySwap"], "no swap on top")

    def test_an_image_that_somebody_untags_costs_no_instance_and_comes_again(self):
        app = self.deploy("untagged", 1, cmd=STAY)
        before = self.snapshot(app)
        for image in self.host.docker.get("/images/json"):
            for tag in image.get("RepoTags") or []:
                if "lib/demo" in tag:
                    self.host.docker.delete(f"/images/{tag}?force=1")
        self.assertEqual(404, self.host.docker.raw("GET", f"/images/{UPSTREAM_NAME}/lib/demo:1/json")[0])
        self.lab.api.put("/v2/apps/untagged", {"instances": 3})
        self.wait_running(app, 3)
        after = self.snapshot(app)
        self.assertEqual(before, {identity: after.get(identity) for identity in before})

    def take_port(self):
        """A container of somebody else's that publishes the port."""
        image = f"{HUB_IP}:5999/lib/demo:1"
        self.host.docker.raw("POST", f"/images/create?fromImage={image}")
        taker = self.host.docker.post("/containers/create", {
            "Image": image, "HostConfig": {"PortBindings": {"8080/tcp": [{"HostPort": str(TAKEN_PORT)}]}}})["Id"]
        self.host.docker.post(f"/containers/{taker}/start")
        return taker

    def test_a_port_that_somebody_else_has_is_named_and_leaves_no_container_behind(self):
        taker = self.take_port()
        try:
            app = self.definition("port-taken", 1)
            app["container"]["portMappings"] = [{"containerPort": 8080, "hostPort": TAKEN_PORT}]
            self.lab.api.post("/v2/apps", app)
            wait_until("its end is told", lambda: self.last_failure("/port-taken"), SETTLE_SECONDS)
            self.assertRegex(self.last_failure("/port-taken"), f"{TAKEN_PORT}.*port is already allocated")
            wait_until("no more than one attempt is left over", lambda: len(self.containers("/port-taken", every=True)) <= 1,
                       SETTLE_SECONDS)
        finally:
            self.host.docker.delete(f"/containers/{taker}?force=1")
        self.wait_running("/port-taken", 1)
        self.assert_serves("/port-taken")

    def test_a_line_of_64_kib_comes_whole(self):
        piece = "0123456789abcde."
        long = piece * (LONG_BYTES // len(piece))
        app = self.deploy("long-lines", 1, cmd=f"""x='{piece}'; i=0; while [ $i -lt 12 ]; do x=$x$x; i=$((i+1)); done
            echo before; echo $x; echo after; {STAY}""")
        text = wait_until("it is there", lambda: "after" in (done := self.lab.cli("logs", app)).stdout and done.stdout,
                          SETTLE_SECONDS)
        self.assertEqual("before" + long + "after", text.replace("\n", ""))  # a reader gets it in several lines

    def test_a_followed_log_that_is_rotated_loses_no_line_and_doubles_none(self):
        app = self.deploy("chatty", 1, cmd=COUNT_LINES)
        container = self.containers(app)[0]
        followed = self.follow(app)
        written = 1
        for batch in range(BATCHES + 1):
            followed.wait_for(written)
            if batch < BATCHES:
                self.host.docker.post(f"/containers/{container['Id']}/kill?signal=USR1")
                written += BATCH_LINES
        self.assertEqual(list(range(1, written + 1)), followed.numbers)

        # Faster than anybody reads: Docker deletes lines, and what it does not delete comes in order and once.
        self.host.docker.post(f"/containers/{container['Id']}/kill?signal=USR2")
        written += STORM_LINES
        followed.wait_for(written)
        files = [path.name for path in pathlib.Path(container["LogPath"]).parent.glob("*-json.log*")]
        self.assertEqual(int(container["HostConfig"]["LogConfig"]["Config"]["max-file"]), len(files), files)
        self.assertEqual(sorted(set(followed.numbers)), followed.numbers, "lines came twice, or not in order")

    def follow(self, app):
        follower = FollowedNumbers(self.lab, app)
        self.addCleanup(follower.close)
        return follower


class FollowedNumbers:
    """`methos logs -f` of an app that says COUNT_LINES: the numbers of the complete lines."""

    def __init__(self, lab, app):
        self.path = lab.folder / "followed.log"
        self.numbers = []
        self.rest = b""
        with open(self.path, "wb") as output:
            self.child = subprocess.Popen([CLI, "logs", "-f", app], stdin=subprocess.DEVNULL, stdout=output, env={
                **os.environ, "METHOS_URL": MASTER_URL, "METHOS_TOKEN": lab.token})
        self.reader = open(self.path, "rb")

    def wait_for(self, number):
        """Until the line with this number is there."""
        wait_until(f"line {number} is followed", lambda: self.newest() == number, STALL_SECONDS)

    def newest(self):
        *lines, self.rest = (self.rest + self.reader.read()).split(b"\n")
        for line in lines:
            word, number, dots = line.split(b" ")
            assert (word, dots) == (b"line", b"." * LINE_BYTES), line
            self.numbers.append(int(number))
        return self.numbers[-1] if self.numbers else 0

    def close(self):
        self.child.kill()
        self.child.wait()
        self.reader.close()


if __name__ == "__main__":
    cluster_case.main()
