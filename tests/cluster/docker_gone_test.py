"""A dockerd that stays dead for longer than the master waits, with its executor alive and well: the instances run
elsewhere and stay there, whatever that executor says, and when Docker is back nothing runs twice.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase
from tests.support.rest import wait_until

SESSIONS = 3  # each begins with what the executor knows


class DockerGoneTest(ClusterCase):
    hosts_wanted = 2
    master_flags = ("--docker-grace", "2s")

    def sessions_of(self, host):
        return host.executor.log.read_text(encoding="utf-8", errors="replace").count("joined the cluster")

    def test_what_a_dead_docker_had_runs_elsewhere_and_stays_there(self):
        app = self.deploy("docker-gone", 4)
        gone, other = self.lab.hosts
        self.assertTrue(self.containers(app, [gone]), "no instance on the host whose Docker is to die")
        gone.kill_dockerd()
        self.wait_host_state(gone, "LOST")
        wait_until("four run on the other host", lambda: len(self.containers(app, [other])) == 4, SETTLE_SECONDS)
        before = self.snapshot(app, [other])
        # The first one begins by itself, since the master ended the one before when it gave the host up.
        for number in range(SESSIONS):
            wait_until("its executor has joined again", lambda wanted=number + 2: self.sessions_of(gone) >= wanted,
                       SETTLE_SECONDS)
            self.look_often("four run, and they stay", lambda: len(self.containers(app, [other])) == 4)
            self.lab.master.kill()
            self.lab.start_master()
        self.assertEqual(before, self.snapshot(app, [other]))
        self.assertEqual("LOST", self.host_states()[gone.name])

        gone.start_dockerd()
        gone.wait_dockerd()
        self.wait_hosts_up()
        self.wait_running(app, 4)
        self.assert_one_container_per_task(app)
        self.assert_serves(app)


if __name__ == "__main__":
    cluster_case.main()
