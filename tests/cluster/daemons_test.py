"""The daemons on a bad day: taken ports, wrong flags and files, a missing master or Docker, wrong tokens.
Each says something that a person can act on, with the right exit code, or keeps trying and says so."""

import os
import pathlib
import shutil
import signal
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS
from tests.support.lab import CLI, EXECUTOR, HUB_IP, MASTER, MASTER_URL, PROXY, Lab
from tests.support.rest import Rest, wait_until

USAGE, FAILED, UNAUTHORIZED = 2, 1, 5


class DaemonsTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def run(self, result=None):
        self.result = result
        return super().run(result)

    def tearDown(self):
        cluster_case.print_logs_of_failure(self, self.result, self.lab)

    def assert_refuses(self, code, says, *words, environment=None):
        """The program ends with this code, and each of these words is in what it says, in at most a few lines."""
        done = self.lab.run_to_end(*words, environment=environment)
        text = done.stderr + done.stdout
        self.assertEqual(code, done.returncode, text)
        for word in says:
            self.assertIn(word, text)
        return text

    def folder(self, name):
        path = self.lab.folder / name
        path.mkdir(exist_ok=True)
        return path

    # Flags and files

    def test_wrong_flags_are_refused_with_code_2_and_the_flag_named(self):
        for program in ((MASTER,), (EXECUTOR,), (PROXY,), (CLI, "ls")):
            with self.subTest(program=program):
                self.assert_refuses(USAGE, ["--no-such-flag"], *program, "--no-such-flag")
        data = self.folder("flags")
        for words, says in (
                ((MASTER, "--data-dir", data, "--http", "nonsense"), ["nonsense"]),
                ((MASTER, "--data-dir", data, "--http", f"{HUB_IP}:99999"), ["99999"]),
                ((MASTER, "--data-dir", data, "--bus", "ftp://x"), ["ftp://x"]),
                ((MASTER, "--data-dir", data, "--auth", "maybe"), ["--auth"]),
                ((MASTER, "--data-dir", data, "--log-level", "loud"), ["loud"]),
                ((MASTER, "--data-dir", data, "--executor-grace", "soon"), ["soon"]),
                ((MASTER, "--data-dir", data, "--store", "etcd://127.0.0.1:2379"), ["etcd"]),
                ((EXECUTOR, "--data-dir", data), ["--join"]),
                ((PROXY, "--cache-dir", data, "--cache-size", "huge"), ["huge"]),
                ((PROXY, "--cache-dir", data, "--upstream", "no-equals-sign"), ["no-equals-sign"])):
            with self.subTest(words=words):
                self.assert_refuses(USAGE, says, *words)

    def test_wrong_resources_are_refused_with_the_place_named(self):
        self.lab.start_master()
        join = f"@{self.lab.master_folder}/join.token"
        for resources, says in (("cpus:many", "cpus"), ("mem:-1", "MB"), ("ports:[9-1]", "ports"), ("wheels:4", "wheels")):
            with self.subTest(resources=resources):
                self.assert_refuses(USAGE, [says], EXECUTOR, "--join", join, "--data-dir", self.folder("resources"),
                                    "--resources", resources)

    def test_a_broken_configuration_file_is_refused_and_named(self):
        broken = self.lab.folder / "broken.toml"
        broken.write_text("log-level info, please\n", encoding="utf-8")
        unknown = self.lab.folder / "unknown.toml"
        unknown.write_text("no-such-setting = 1\n", encoding="utf-8")
        for program, folder in ((MASTER, "--data-dir"), (EXECUTOR, "--data-dir"), (PROXY, "--cache-dir")):
            with self.subTest(program=program.name):
                words = (program, folder, self.folder("config"), "--config")
                self.assert_refuses(USAGE, ["log-level info"], *words, broken)
                self.assert_refuses(USAGE, ["no-such-setting"], *words, unknown)
                self.assert_refuses(USAGE, ["absent.toml"], *words, self.lab.folder / "absent.toml")

    def test_a_data_folder_that_is_a_file_is_named(self):
        path = self.lab.folder / "a-file"
        path.write_text("", encoding="ascii")
        self.assert_refuses(FAILED, ["a-file"], MASTER, "--data-dir", path, "--http", f"{HUB_IP}:8080",
                            "--bus", f"tcp://{HUB_IP}:5051")
        self.assert_refuses(FAILED, ["a-file"], PROXY, "--cache-dir", path, "--http", f"{HUB_IP}:5000")

    # Ports and locks

    def test_a_taken_port_is_named_and_nothing_is_left_behind(self):
        with socket.create_server((HUB_IP, 0)) as taken:
            port = taken.getsockname()[1]
            data = self.folder("taken")
            self.assert_refuses(FAILED, [str(port)], MASTER, "--data-dir", data, "--http", f"{HUB_IP}:{port}",
                                "--bus", f"tcp://{HUB_IP}:5051")
            self.assert_refuses(FAILED, [str(port)], MASTER, "--data-dir", data, "--http", f"{HUB_IP}:8080",
                                "--bus", f"tcp://{HUB_IP}:{port}")
            self.assert_refuses(FAILED, [str(port)], PROXY, "--cache-dir", data, "--http", f"{HUB_IP}:{port}")
        self.lab.start_master()  # the ports are free again, and a new data folder starts well

    def test_a_second_master_on_the_same_data_is_refused(self):
        self.lab.start_master()
        self.assert_refuses(FAILED, [str(self.lab.master_folder)], MASTER, "--data-dir", self.lab.master_folder,
                            "--http", f"{HUB_IP}:8081", "--bus", f"tcp://{HUB_IP}:5052")
        self.assertEqual(200, Rest(MASTER_URL).raw("GET", "/ping")[0])

    def wait_host_up(self):
        wait_until("the host is UP", lambda: [host["state"] for host in self.lab.api.get(
            "/methos/v1/hosts")["hosts"]] == ["UP"], SETTLE_SECONDS)

    # What is missing or wrong on the other side

    def test_an_executor_without_a_master_keeps_trying_and_joins_when_there_is_one(self):
        self.lab.start_master()
        self.assertEqual(0, self.lab.master.stop())
        host = self.lab.add_host()
        host.wait_dockerd()
        executor = host.start_executor()
        wait_until("it says which master does not answer", lambda: f"{HUB_IP}:5051" in executor.tail(), SETTLE_SECONDS)
        self.assertTrue(executor.alive(), executor.tail())
        self.lab.start_master()
        self.wait_host_up()

    def test_an_executor_without_docker_keeps_trying_and_joins_when_there_is_one(self):
        self.lab.start_master()
        host = self.lab.add_host()
        host.wait_dockerd()
        self.assertEqual(0, host.dockerd.stop())
        executor = host.start_executor()
        wait_until("it says which Docker does not answer", lambda: str(host.socket) in executor.tail(), SETTLE_SECONDS)
        self.assertTrue(executor.alive(), executor.tail())
        host.start_dockerd()
        host.wait_dockerd()
        self.wait_host_up()

    def test_a_malformed_join_token_is_refused_at_once(self):
        for join in ("nonsense", "", f"@{self.lab.folder}/absent.token"):
            with self.subTest(join=join):
                text = self.assert_refuses(USAGE, ["join"], EXECUTOR, "--join", join, "--data-dir", self.folder("x"))
                self.assertLess(len(text.splitlines()), 12)

    def test_the_join_token_of_another_cluster_does_not_get_in(self):
        other = Lab.master_command(self.folder("other"))
        foreign = self.lab.run("other-master", *other)
        wait_until("the other master answers", lambda: Rest(MASTER_URL).raw("GET", "/ping")[0] == 200, SETTLE_SECONDS)
        shutil.copy(self.folder("other") / "join.token", self.lab.folder / "foreign.token")
        self.assertEqual(0, foreign.stop())
        self.lab.start_master()
        host = self.lab.add_host()
        host.wait_dockerd()
        executor = host.start_executor(join=f"@{self.lab.folder}/foreign.token")
        wait_until("it says that it is not let in", lambda: f"{HUB_IP}:5051" in executor.tail()
                   or "token" in executor.tail(), SETTLE_SECONDS)
        self.assertEqual([], self.lab.api.get("/methos/v1/hosts")["hosts"])
        self.assertTrue(self.lab.master.alive())

    def test_requests_without_the_right_token_are_refused(self):
        self.lab.start_master()
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp3cm9uZw=="},
                        {"Authorization": "nonsense"}):
            for path in ("/v2/apps", "/v2/tasks", "/methos/v1/hosts", "/metrics"):
                with self.subTest(headers=headers, path=path):
                    status, _, body = Rest(MASTER_URL, headers).raw("GET", path)
                    self.assertEqual(401, status, body)
        done = self.lab.run_to_end(CLI, "ls", environment={"METHOS_URL": MASTER_URL, "METHOS_TOKEN": "wrong"})
        self.assertEqual(UNAUTHORIZED, done.returncode, done.stderr)
        self.assertIn("token", done.stderr)
        done = self.lab.run_to_end(CLI, "ls", environment={"METHOS_URL": f"http://{HUB_IP}:8081", "METHOS_TOKEN": "x"})
        self.assertEqual(UNAUTHORIZED, done.returncode, done.stderr)
        self.assertIn(f"{HUB_IP}:8081", done.stderr)

    def test_an_executor_reads_its_configuration_again_at_sighup(self):
        self.lab.start_master()
        host = self.lab.add_host()
        host.wait_dockerd()
        config = self.lab.folder / "executor.toml"
        config.write_text('attributes = "rack:a"\n', encoding="utf-8")
        executor = host.start_executor("--config", config)
        self.wait_host_up()
        def attributes():
            return self.lab.api.get("/methos/v1/hosts")["hosts"][0]["attributes"]
        self.assertEqual({"rack": "a"}, attributes())
        config.write_text('attributes = "rack:b;disk:ssd"\n', encoding="utf-8")
        os.kill(executor.pid, signal.SIGHUP)
        wait_until("the master knows the new attributes", lambda: attributes() == {"rack": "b", "disk": "ssd"}, SETTLE_SECONDS)
        config.write_text('attributes = nonsense\n', encoding="utf-8")
        os.kill(executor.pid, signal.SIGHUP)
        wait_until("it says what is wrong", lambda: str(config) in executor.tail(), SETTLE_SECONDS)
        self.assertTrue(executor.alive(), executor.tail())
        self.assertEqual({"rack": "b", "disk": "ssd"}, attributes())

    def test_the_tokens_are_private_files(self):
        self.lab.start_master()
        for name in ("admin.token", "join.token"):
            path = self.lab.master_folder / name
            self.assertEqual(0o600, path.stat().st_mode & 0o777)
            self.assertRegex(path.read_text(encoding="ascii"), r"\A\S+\n\Z")

    def test_sigterm_ends_each_daemon_in_order(self):
        self.lab.start_master()
        self.lab.start_proxy()
        host = self.lab.add_host()
        host.wait_dockerd()
        host.start_executor()
        self.wait_host_up()
        for process in (host.executor, self.lab.proxy, self.lab.master):
            with self.subTest(process=process.name):
                self.assertEqual(0, process.stop(), process.tail())


if __name__ == "__main__":
    cluster_case.main()
