"""methos-master as a process: what it refuses before it has written anything, what its data directory may hold, and
what it prints at its first start. On loopback, without Docker.

Usage: process_test.py MASTER_BINARY [TEST...]
"""

import os
import pathlib
import pty
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from tests.clients.programs import MasterProgram, Program
from tests.support.rest import Rest, wait_until

FAILED, USAGE = 1, 2
END_SECONDS = 60
MASTER_BINARY = None


class MasterProcessTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="methos-master-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.master = MasterProgram(MASTER_BINARY, self.folder)
        self.addCleanup(self.master.kill)
        self.data = self.master.data_dir

    def run_to_end(self, *flags):
        environment = {**os.environ, "METHOS_MASTER_HTTP": "127.0.0.1:0", "METHOS_MASTER_BUS": "tcp://127.0.0.1:0",
                       "METHOS_MASTER_DATA_DIR": str(self.data)}
        return subprocess.run([MASTER_BINARY, *map(str, flags)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=END_SECONDS, check=False, env=environment)

    def assert_refuses(self, code, says, *flags):
        """It ends with this code and says each of these words; returns what it said."""
        done = self.run_to_end(*flags)
        text = done.stderr + done.stdout
        self.assertEqual(code, done.returncode, text)
        for word in says:
            self.assertIn(word, text)
        return text

    def start_and_kill(self):
        """A cluster whose state is in the directory, as a power cut leaves it."""
        self.master.start()
        self.master.kill()

    def files(self):
        return sorted(path.name for path in self.data.iterdir())


class LostStateTest(MasterProcessTest):
    """A key without its state is a cluster that lost its memory: going on as a new one would end all that its hosts run."""

    def test_a_lost_state_is_not_taken_for_a_new_cluster(self):
        def remove():
            for path in self.data.glob("state.db*"):
                path.unlink()

        def remove_and_leave_the_journal():
            (self.data / "state.db").unlink()

        def empty():
            (self.data / "state.db").write_bytes(b"")

        def lose_the_journal():  # as a careless copy of a running master's directory
            (self.data / "state.db-wal").unlink()

        self.start_and_kill()
        kept = self.folder / "kept"
        shutil.copytree(self.data, kept)
        for lose in (remove, remove_and_leave_the_journal, empty, lose_the_journal):
            with self.subTest(lose.__name__):
                shutil.rmtree(self.data)
                shutil.copytree(kept, self.data)
                lose()
                before = {path.name: path.read_bytes() for path in self.data.glob("state.db-wal")}
                for _ in range(2):  # and it stays so
                    self.assert_refuses(FAILED, [str(self.data), "bus.key", "state.db", "join.token"])
                for name, content in before.items():
                    self.assertEqual(content, (self.data / name).read_bytes(), "what may help to repair it is gone")
        shutil.rmtree(self.data)
        shutil.copytree(kept, self.data)
        self.master.start()  # put back, it goes on

    def test_without_its_keys_too_it_is_a_new_cluster(self):
        self.start_and_kill()
        for path in [*self.data.glob("state.db*"), self.data / "bus.key", self.data / "join.token"]:
            path.unlink()
        self.master.start()

    def test_a_first_start_that_was_interrupted_anywhere_is_repeated(self):
        for obstacle in ("state.db", "bus.key.new", "join.token.new"):  # a folder where a file is to be written
            with self.subTest(obstacle):
                shutil.rmtree(self.data)
                (self.data / obstacle).mkdir(parents=True)
                done = self.run_to_end()
                self.assertNotEqual(0, done.returncode)
                self.assertIn(obstacle, done.stderr)
                (self.data / obstacle).rmdir()
                self.master.start()
                self.master.kill()

    def test_an_empty_file_for_the_state_of_no_cluster_is_fine(self):
        (self.data / "state.db").write_bytes(b"")
        self.master.start()


class FlagsTest(MasterProcessTest):
    def test_wrong_flags_are_named_before_anything_is_written(self):
        no_file = self.folder / "no-such.pem"
        no_certificate = self.folder / "prose.pem"
        no_certificate.write_text("not a certificate\n", encoding="ascii")
        shutil.rmtree(self.data)
        for flags, says in (
                (["--http", "nonsense"], ["--http", "nonsense", "is not an address"]),
                (["--http", "127.0.0.1:8080", "--http", "127.0.0.1:99999"], ["--http", "99999"]),
                (["--http", "203.0.113.7:8080"], ["--http", "203.0.113.7"]),  # a documentation address, nobody's
                (["--bus", "ftp://x"], ["--bus", "ftp://x"]),
                (["--bus", "tcp://127.0.0.1"], ["--bus", "127.0.0.1"]),
                (["--bus", "tcp://203.0.113.7:5051"], ["--bus", "203.0.113.7", "address of this machine"]),
                (["--advertise-bus", "10.0.0.1:5051"], ["--advertise-bus", "10.0.0.1:5051"]),
                (["--advertise-bus", "tcp://10.0.0.1:0"], ["--advertise-bus", "10.0.0.1:0"]),
                (["--advertise-http", "ftp://x"], ["--advertise-http", "ftp://x"]),
                (["--auth", "maybe"], ["--auth"]),
                (["--executor-grace", "soon"], ["--executor-grace", "soon"]),
                (["--tls-cert", no_file], ["--tls-key"]),
                (["--tls-cert", no_file, "--tls-key", no_file], ["certificate", str(no_file)]),
                (["--tls-cert", no_certificate, "--tls-key", no_certificate], ["certificate", str(no_certificate)])):
            with self.subTest(flags=flags):
                self.assert_refuses(USAGE, says, *flags)
                self.assertFalse(self.data.exists(), "something was written")

    def test_an_open_api_is_warned_of_where_others_reach_it(self):
        words = "no token is asked for"
        for address, auth, warned in (("0.0.0.0:0", "none", True), ("127.0.0.1:0", "none", False),
                                      ("0.0.0.0:0", "token", False)):
            with self.subTest(address=address, auth=auth):
                log = self.folder / "open.log"
                log.unlink(missing_ok=True)
                program = Program([MASTER_BINARY, "--http", address, "--bus", "tcp://127.0.0.1:0", "--data-dir", self.data,
                                   "--auth", auth], log)
                self.addCleanup(program.kill)
                wait_until("it listens", lambda: not program.alive() or "the bus listens" in log.read_text(), END_SECONDS)
                self.assertTrue(program.alive(), log.read_text())
                self.assertEqual(warned, words in log.read_text(), log.read_text())
                self.assertEqual(0, program.stop())


class ConfigFileTest(MasterProcessTest):
    def write(self, content):
        path = self.folder / "master.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def test_a_wrong_file_is_told_with_its_name_and_line(self):
        for content, says in (
                ("httpp = \"x\"\n", ["master.toml:1", "unknown key 'httpp'"]),
                ("\n\nhttp = [[[\n", ["master.toml:3", "TOML"]),
                ("log-level info, please\n", ["master.toml:1", "TOML", "log-level info, please"]),
                ("log-level = info\n", ["master.toml:1", "log-level = info"]),
                ("bus = \"a\"\nbus = \"b\"\n", ["master.toml:2"]),
                ("bus = [\"tcp://127.0.0.1:0\", \"b\"]\n", ["master.toml:1", "bus takes one value"]),
                ("http = [1979-05-27]\n", ["master.toml:1", "http must be"]),
                ("[master]\nhttp = \"127.0.0.1:0\"\n", ["master.toml:1", "section"]),
                ("config = \"other.toml\"\n", ["unknown key 'config'"]),
                ("help = true\n", ["unknown key 'help'"]),
                ("executor-grace = 30\n", ["--executor-grace", "'30' is not a duration"]),
                ("\"a\\u001b[31m\" = 1\n", ["master.toml:1"]),
                (b"\x7fELF\x02\x01\x1b[31m\x00\xff\xfe" * 100, ["master.toml:1"])):
            with self.subTest(content=content[:40]):
                text = self.assert_refuses(USAGE, says, "--config", self.write(content))
                self.assertTrue(text.isascii() and text.replace("\n", "").isprintable(), ascii(text))
                self.assertLess(len(text.splitlines()), 4, text)
        for path in ("/", self.folder / "absent.toml"):
            with self.subTest(path=path):
                self.assert_refuses(USAGE, [f"{path}: cannot be read"], "--config", path)

    def test_flags_come_before_the_environment_and_that_before_the_file(self):
        path = self.write("# comment\nlog-level = 'debug' # comment\nauth = \"file\"\nstore = \"file\"\n"
                          "executor-grace = \"soon\"\nhttp = [\"127.0.0.1:0\",\n  \"127.0.0.1:0\",\n]\n")
        base = {**os.environ, "METHOS_MASTER_CONFIG": str(path), "METHOS_MASTER_BUS": "tcp://127.0.0.1:0",
                "METHOS_MASTER_DATA_DIR": str(self.data)}
        for flags, environment, says in (
                ([], {}, "--store must be"),
                (["--store", "sqlite"], {}, "--auth must be"),
                (["--auth", "none"], {"METHOS_MASTER_STORE": "sqlite"}, "--executor-grace"),
                (["--auth", "none", "--executor-grace", "1s"],
                 {"METHOS_MASTER_STORE": "sqlite", "METHOS_MASTER_EXECUTOR_GRACE": "never", "METHOS_MASTER_DOCKER_GRACE": "late"},
                 "--docker-grace")):
            with self.subTest(flags=flags, environment=environment):
                done = subprocess.run([MASTER_BINARY, *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      timeout=END_SECONDS, check=False, env={**base, **environment})
                self.assertEqual(USAGE, done.returncode, done.stderr)
                self.assertIn(says, done.stderr)


class FirstStartTest(MasterProcessTest):
    def secret(self):
        return (self.data / "join.token").read_text(encoding="ascii").strip()

    def test_a_log_does_not_learn_the_join_token(self):
        for start in ("first", "second"):
            with self.subTest(start):
                self.master.start()
                self.master.kill()
                said = self.master.process.log.read_text()
                self.assertIn(f"methos-executor --join @{self.data}/join.token", said)
                self.assertNotIn(self.secret(), said)
                self.assertNotIn((self.data / "admin.token").read_text().strip(), said)

    def test_a_person_is_given_the_whole_command_once(self):
        self.assertIn(f"methos-executor --join {self.secret_shown_on_terminal()}", self.terminal)
        self.secret_shown_on_terminal()
        self.assertIn("methos-executor --join @", self.terminal)
        self.assertNotIn(self.secret(), self.terminal)

    def secret_shown_on_terminal(self):
        """Starts the master on a terminal, keeps what it shows there in self.terminal, and ends it."""
        ours, its = pty.openpty()
        with subprocess.Popen([MASTER_BINARY, "--http", f"127.0.0.1:{self.master.port}", "--bus", "tcp://127.0.0.1:0",
                               "--data-dir", self.data], stdin=subprocess.DEVNULL, stdout=its, stderr=its) as child:
            os.close(its)
            try:
                wait_until("the master answers", lambda: Rest(self.master.url).raw("GET", "/ping")[0] == 200, END_SECONDS)
            finally:
                child.terminate()
                self.terminal = ""
                while part := read_terminal(ours):
                    self.terminal += part
                os.close(ours)
        return self.secret()


def read_terminal(descriptor):
    """What comes next; nothing when nobody writes to it any more."""
    try:
        return os.read(descriptor, 4096).decode()
    except OSError:
        return ""


def main():
    global MASTER_BINARY
    MASTER_BINARY = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()


if __name__ == "__main__":
    main()
