"""Master and proxy with a certificate: who trusts its authority gets in (curl, methos, dockerd), who does not is told
why; the wrong language on either kind of port is answered and harms nobody; SIGHUP takes a new certificate."""

import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS
from tests.support.lab import CLI, HUB_IP, MASTER, MASTER_URL, PROXY, UPSTREAM_NAME, UPSTREAM_URL, Lab
from tests.support.rest import Rest, wait_until

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 5
SECURE_MASTER_URL = MASTER_URL.replace("http:", "https:")
# Not the lab's usual port, which its dockerds are told to talk plain HTTP to.
PROXY_PORT = 5443
SECURE_PROXY_URL = f"https://{HUB_IP}:{PROXY_PORT}"
IMAGE = f"{HUB_IP}:{PROXY_PORT}/{UPSTREAM_NAME}/lib/demo"


class Authority:
    """A certificate authority in a folder; `ca` is its own certificate."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.ca = folder / "ca.pem"
        self.key = folder / "ca.key"
        self.openssl("req", "-x509", *self.new_key(self.key), "-out", self.ca, "-days", "2", "-subj", "/CN=lab authority")

    @staticmethod
    def new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def sign(self, name):
        """A certificate for the hub's address and its key, in files of that name; returns both paths."""
        certificate, key, request, extension = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        extension.write_text(f"subjectAltName=IP:{HUB_IP}\n", encoding="ascii")
        self.openssl("req", *self.new_key(key), "-out", request, "-subj", f"/CN={HUB_IP}")
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                     "-extfile", extension, "-days", "2", "-out", certificate)
        return certificate, key


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.authority = Authority(cls.lab.folder / "authority")
        cls.certificate, cls.key = cls.authority.sign("server")
        cls.tls = ("--tls-cert", cls.certificate, "--tls-key", cls.key)
        cls.trusting = cls.lab.add_host(environment={"SSL_CERT_FILE": str(cls.authority.ca)})
        cls.stranger = cls.lab.add_host()
        cls.lab.start_registry()
        cls.lab.push("lib/demo")
        cls.master = cls.lab.run("master", *Lab.master_command(cls.lab.master_folder), *cls.tls)
        cls.proxy = cls.lab.run("proxy", PROXY, "--http", f"0.0.0.0:{PROXY_PORT}", "--cache-dir", cls.lab.proxy_folder,
                                "--upstream", f"{UPSTREAM_NAME}={UPSTREAM_URL}", *cls.tls)
        for process, url, path in ((cls.master, SECURE_MASTER_URL, "/ping"), (cls.proxy, SECURE_PROXY_URL, "/v2/")):
            wait_until(f"{url} answers", lambda process=process, url=url, path=path: process.require_alive()
                       and cls.rest(url).raw("GET", path)[0] == 200, SETTLE_SECONDS)

    def run(self, result=None):
        self.result = result
        return super().run(result)

    def tearDown(self):
        cluster_case.print_logs_of_failure(self, self.result, self.lab)
        self.assertTrue(self.master.alive() and self.proxy.alive())

    @classmethod
    def rest(cls, url, headers=None):
        return Rest(url, headers, ca_file=cls.authority.ca)

    def methos(self, *words, url=SECURE_MASTER_URL, **variables):
        environment = {"METHOS_URL": url, "METHOS_TOKEN": self.lab.token, "HOME": str(self.lab.folder), **variables}
        return self.lab.run_to_end(CLI, *words, environment=environment)

    def curl(self, *words):
        return self.lab.run_to_end("curl", "--silent", "--show-error", "--max-time", "10", *words)

    # Who gets in

    def test_curl_and_methos_get_in_when_they_trust_the_authority(self):
        for url in (f"{SECURE_MASTER_URL}/ping", f"{SECURE_PROXY_URL}/v2/"):
            self.assertEqual(DONE, self.curl("--cacert", self.authority.ca, url).returncode)
            self.assertEqual(60, self.curl(url).returncode, "curl trusts a certificate of nobody it knows")
        done = self.methos("ls", SSL_CERT_FILE=str(self.authority.ca))
        self.assertEqual(DONE, done.returncode, done.stderr)
        config = self.lab.folder / ".config/methos/config.toml"
        config.parent.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, config.parent)
        config.write_text(f'[contexts.lab]\nurl = "{SECURE_MASTER_URL}"\nca-file = "{self.authority.ca}"\n')
        done = self.methos("--context", "lab", "hosts", url="")
        self.assertEqual(DONE, done.returncode, done.stderr)

    def test_methos_says_what_to_do_when_it_does_not_trust_the_master(self):
        done = self.methos("ls")
        self.assertEqual(UNREACHABLE, done.returncode, done.stderr)
        for word in (SECURE_MASTER_URL, "not trusted", "SSL_CERT_FILE", "ca-file"):
            self.assertIn(word, done.stderr)
        done = self.methos("ls", SSL_CERT_FILE=str(self.lab.folder / "absent.pem"))
        self.assertEqual(USAGE, done.returncode, done.stderr)
        self.assertIn("absent.pem", done.stderr)

    def test_clients_are_told_to_come_by_https(self):
        info = self.rest(SECURE_MASTER_URL, {"Authorization": f"Bearer {self.lab.token}"}).get("/v2/info")
        self.assertEqual({"http_port": None, "https_port": 8080}, info["http_config"])

    def test_a_service_runs_by_way_of_https(self):
        self.trusting.wait_dockerd()
        # dockerd tries TLS first on a loopback port, which is what the executor lends it to the proxy.
        self.trusting.make_executor("executor", self.trusting.executor_command(
            proxy=f"http://{HUB_IP}:{PROXY_PORT}")).start()
        trust = {"SSL_CERT_FILE": str(self.authority.ca)}
        wait_until("the host is UP", lambda: " UP " in self.methos("hosts", **trust).stdout, SETTLE_SECONDS)
        done = self.methos("run", f"{UPSTREAM_NAME}/lib/demo:1", "--name", "/secure", "--cmd", "sleep 1000", **trust)
        self.assertEqual(DONE, done.returncode, done.stderr + done.stdout)
        self.assertEqual(1, len(self.trusting.containers()))
        fetched = self.rest(SECURE_PROXY_URL).raw("GET", "/metrics/prometheus")[2].decode()
        self.assertNotIn("methos_proxy_upstream_bytes_total 0\n", fetched)
        done = self.methos("rm", "/secure", **trust)
        self.assertEqual(DONE, done.returncode, done.stderr + done.stdout)

    def pull(self, host):
        """dockerd's own pull of the image from the proxy; the text of its progress or of its error."""
        host.wait_dockerd()
        query = urllib.parse.urlencode({"fromImage": IMAGE, "tag": "1"})
        return host.docker.raw("POST", f"/images/create?{query}")[2].decode()

    def test_dockerd_pulls_by_https_when_it_trusts_the_authority_and_not_else(self):
        self.assertIn("Downloaded newer image", self.pull(self.trusting))
        self.assertEqual(200, self.trusting.docker.raw("GET", f"/images/{IMAGE}:1/json")[0])
        self.assertIn("x509", self.pull(self.stranger))
        self.assertEqual(404, self.stranger.docker.raw("GET", f"/images/{IMAGE}:1/json")[0])

    # The wrong language

    def test_plain_http_on_a_port_of_tls_is_told_so(self):
        for url in (SECURE_MASTER_URL, SECURE_PROXY_URL):
            done = self.curl("--include", url.replace("https:", "http:"))
            self.assertEqual(DONE, done.returncode, done.stderr)
            self.assertIn("400 Bad Request", done.stdout)
            self.assertIn("https", done.stdout)
        done = self.methos("ls", url=MASTER_URL)
        self.assertNotEqual(DONE, done.returncode)
        self.assertIn("https", done.stderr)

    def test_nonsense_on_a_port_of_tls_ends_the_connection(self):
        for nonsense in (b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"\x00" * 100, b"quit\r\n"):
            for port in (8080, PROXY_PORT):
                with socket.create_connection((HUB_IP, port), timeout=SETTLE_SECONDS) as connection:
                    connection.sendall(nonsense)
                    connection.shutdown(socket.SHUT_WR)
                    try:
                        while connection.recv(4096):
                            pass
                    except ConnectionResetError:
                        continue  # an end as well

    def test_tls_on_a_port_of_plain_http_ends_the_connection(self):
        plain = self.lab.run("plain-master", MASTER, "--http", f"{HUB_IP}:8081", "--bus", f"tcp://{HUB_IP}:5052",
                             "--data-dir", self.lab.folder / "plain-master")
        url = f"https://{HUB_IP}:8081"
        wait_until("it answers", lambda: Rest(f"http://{HUB_IP}:8081").raw("GET", "/ping")[0] == 200, SETTLE_SECONDS)
        with self.assertRaises(ssl.SSLError):
            self.rest(url).raw("GET", "/ping")
        done = self.methos("ls", url=url)
        self.assertEqual(UNREACHABLE, done.returncode, done.stderr)
        self.assertIn(url, done.stderr)
        self.assertEqual(200, Rest(f"http://{HUB_IP}:8081").raw("GET", "/ping")[0])
        self.assertEqual(0, plain.stop())

    # Files

    def test_wrong_files_are_named_before_anything_is_made(self):
        absent = self.lab.folder / "absent.pem"
        _, other_key = self.authority.sign("other")
        for certificate, key, says in ((absent, self.key, str(absent)), (self.certificate, absent, str(absent)),
                                       (self.certificate, other_key, str(other_key)),
                                       (self.key, self.certificate, str(self.key)), (self.certificate, None, "--tls-key"),
                                       (None, self.key, "--tls-cert")):
            flags = [*(("--tls-cert", certificate) if certificate else ()), *(("--tls-key", key) if key else ())]
            data = self.lab.folder / "refused"
            for words in ((MASTER, "--http", f"{HUB_IP}:8081", "--bus", f"tcp://{HUB_IP}:5052", "--data-dir", data),
                          (PROXY, "--http", f"{HUB_IP}:5001", "--cache-dir", data)):
                with self.subTest(words=words[0].name, certificate=certificate, key=key):
                    done = self.lab.run_to_end(*words, *flags)
                    self.assertEqual(USAGE, done.returncode, done.stderr)
                    self.assertIn(says, done.stderr)
                    self.assertEqual("", done.stdout, "it said more than what is wrong")
                    self.assertFalse(data.exists(), "it made its folder first")

    def serial(self, port):
        """What is shown to a new connection."""
        return ssl.get_server_certificate((HUB_IP, port))

    def test_sighup_takes_a_new_certificate_and_keeps_the_old_one_when_it_is_broken(self):
        for process, port, url, path in ((self.master, 8080, SECURE_MASTER_URL, "/ping"),
                                         (self.proxy, PROXY_PORT, SECURE_PROXY_URL, "/v2/")):
            with self.subTest(process=process.name):
                kept = Rest(url, ca_file=self.authority.ca, keep_alive=True)
                self.addCleanup(kept.close)
                self.assertEqual(200, kept.raw("GET", path)[0])
                old = self.serial(port)
                self.authority.sign("server")
                process.child.send_signal(signal.SIGHUP)
                new = wait_until("it shows the new certificate",
                                 lambda port=port, old=old: (seen := self.serial(port)) != old and seen, SETTLE_SECONDS)
                self.certificate.write_text("no certificate\n", encoding="ascii")
                process.child.send_signal(signal.SIGHUP)
                wait_until("it says that the file is no good",
                           lambda process=process: "cannot use the TLS certificate" in process.tail(), SETTLE_SECONDS)
                self.assertEqual(new, self.serial(port))
                self.assertEqual(200, kept.raw("GET", path)[0], "the old connection broke")
                self.authority.sign("server")


if __name__ == "__main__":
    cluster_case.main()
