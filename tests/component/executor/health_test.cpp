// Health checks as an executor really runs them: commands in a fake Docker's containers, requests
// and connections to real sockets; through restarts, a Docker that hangs, and commands that do.
#include "executor/tasks/labels.hpp"
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <map>

namespace methos::executor::test {

namespace {

using asio::ip::tcp;
using methos::test::FakeContainer;
using methos::test::FakeFault;
using namespace std::chrono_literals;

/// An executor with a task whose checks are as quick as they may be.
struct Checked : ClusterOfOne {
    Checked() {
        docker.set_exec([this](const FakeContainer&, const std::vector<std::string>& command) {
            last_command = command;
            return std::pair(exit_code, std::string("says the command\n"));
        });
        start();
        run_until([this] { return master.inventories > 0; });
    }

    Checked(const Checked&) = delete;
    Checked& operator=(const Checked&) = delete;

    ~Checked() { docker.set_exec(nullptr); } // it outlives what the answers are made of

    static HealthCheck command(std::uint32_t failures_max) {
        HealthCheck check;
        check.kind = ProbeKind::Command;
        check.command = {"/bin/check", "-v"};
        check.interval = health_interval_min;
        check.timeout = 5s;
        check.failures_max = failures_max;
        return check;
    }

    /// Asked on the host's network.
    static HealthCheck request(ProbeKind kind) {
        auto check = command(0);
        check.kind = kind;
        check.command.clear();
        return check;
    }

    void launch(const HealthCheck& check, std::uint16_t port = 0) {
        master.edit = [check, port](TaskLaunch& launch, TaskSpec& spec) {
            spec.health_checks = {check};
            if (port != 0) {
                spec.network = NetworkMode::Host;
                launch.host_ports = {port};
            }
        };
        master.launch("demo.1", "demo:1");
        run_until([this] { return master.has("demo.1", TaskState::Running); });
    }

    void wait_until_healthy(bool wanted) {
        run_until([&] { return master.last("demo.1")->healthy == wanted; });
    }

    int exit_code = 0;
    std::vector<std::string> last_command;
};

/// Somebody who answers every connection with one HTTP status and closes it.
class Answerer {
  public:
    explicit Answerer(asio::io_context& loop)
        : acceptor_(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
          group_(loop.get_executor(), [](const std::string&, const Error&) {}) {
        group_.spawn("accept", run());
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    awaitable<> stop() {
        group_.stop();
        co_await group_.join();
    }

    int status = 200;
    std::string request;

  private:
    awaitable<> run() {
        for (;;) {
            auto peer = co_await acceptor_.async_accept(asio::use_awaitable);
            group_.spawn("answer", answer(std::move(peer)));
        }
    }

    awaitable<> answer(tcp::socket peer) {
        std::string head(1024, '\0');
        const auto buffer = asio::buffer(head);
        head.resize(co_await peer.async_read_some(buffer, asio::use_awaitable));
        request = head.substr(0, head.find('\r'));
        const auto text =
            "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 3\r\n\r\nabc";
        const auto bytes = asio::buffer(text);
        co_await asio::async_write(peer, bytes, asio::use_awaitable);
    }

    tcp::acceptor acceptor_;
    TaskGroup group_;
};

/// A port of which the kernel says that nobody listens there.
std::uint16_t closed_port(asio::io_context& loop) {
    return tcp::acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0))
        .local_endpoint()
        .port();
}

} // namespace

SCENARIO("a command in the container says whether a task is healthy") {
    Checked one;
    one.exit_code = 1;
    one.launch(Checked::command(0));
    one.wait_until_healthy(false);
    CHECK(one.last_command == std::vector<std::string>{"/bin/check", "-v"});
    CHECK_THAT(one.master.last("demo.1")->message,
               Catch::Contains("exit code 1") && Catch::Contains("says the command"));
    one.exit_code = 0;
    one.wait_until_healthy(true);
    CHECK(one.master.last("demo.1")->message == "");
    CHECK(one.master.last("demo.1")->state == TaskState::Running);
}

SCENARIO("a task that fails its check too often is killed, and it is told why") {
    Checked one;
    one.launch(Checked::command(3));
    one.wait_until_healthy(true);
    one.exit_code = 7;
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
    const auto& end = *one.master.last("demo.1");
    CHECK(end.reason == Reason::HealthCheckFailed);
    CHECK(end.healthy == false);
    CHECK_THAT(end.message, Catch::Contains("3 failures in a row"));
}

SCENARIO("a web server is asked on its port") {
    Checked one;
    Answerer server(one.loop);
    server.status = 503;
    auto check = Checked::request(ProbeKind::Http);
    check.path = "/up?deep=1";
    one.launch(check, server.port());
    one.wait_until_healthy(false);
    CHECK(one.master.last("demo.1")->message.starts_with("HTTP 503"));
    CHECK(server.request == "GET /up?deep=1 HTTP/1.1");
    server.status = 302; // not followed: who redirects, works
    one.wait_until_healthy(true);
    server.status = 400;
    one.wait_until_healthy(false);
    one.run(server.stop());
}

SCENARIO("a port that accepts connections is enough for TCP") {
    Checked one;
    SECTION("somebody listens") {
        Answerer server(one.loop);
        one.launch(Checked::request(ProbeKind::Tcp), server.port());
        one.wait_until_healthy(true);
        one.run(server.stop());
    }
    SECTION("nobody listens") {
        one.launch(Checked::request(ProbeKind::Tcp), closed_port(one.loop));
        one.wait_until_healthy(false);
    }
}

SCENARIO("an executor that is started again goes on checking what it finds") {
    Checked one;
    one.launch(Checked::command(3));
    one.wait_until_healthy(true);
    one.stop(false);
    one.master.statuses.clear();
    one.start();
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    one.wait_until_healthy(true);
    one.exit_code = 1;
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
}

SCENARIO("a command that never ends counts as a failure") {
    Checked one;
    FakeFault hang;
    hang.call = "POST /exec/";
    hang.kind = FakeFault::Kind::Hold;
    hang.times = -1;
    one.docker.inject(hang);
    auto check = Checked::command(2);
    check.timeout = 100ms;
    one.launch(check);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
    CHECK(one.master.last("demo.1")->reason == Reason::HealthCheckFailed);
}

SCENARIO("a Docker that does not answer is not the task's fault") {
    Checked one;
    auto check = Checked::command(1);
    check.timeout = 2s; // longer than a busy machine may need for an answer
    one.launch(check);
    one.wait_until_healthy(true);

    WHEN("it hangs") {
        for (const auto* call : {"POST /containers/", "GET /_ping"}) {
            FakeFault hang;
            hang.call = call;
            hang.kind = FakeFault::Kind::Hold;
            hang.times = -1;
            one.docker.inject(hang);
        }
        const auto asked = one.docker.count("GET /_ping");
        one.run_until([&] { return one.docker.count("GET /_ping") > asked + 1; });
        CHECK(one.master.last("demo.1")->state == TaskState::Running);
        CHECK(one.master.last("demo.1")->healthy == true);
        one.docker.release_held();
    }
    WHEN("it is away") {
        one.docker.go_down();
        one.run_until([&] { return !one.master.host.docker_up; });
        one.docker.come_up();
        one.run_until([&] { return one.master.host.docker_up; });
        const auto asked = one.docker.count("POST /containers/");
        one.run_until([&] { return one.docker.count("POST /containers/") > asked; });
        CHECK(one.master.last("demo.1")->healthy == true);
        CHECK_FALSE(one.master.has("demo.1", TaskState::Killed));
    }
}

SCENARIO("a check of a port that the task does not have is refused before anything is made") {
    Checked one;
    auto check = Checked::request(ProbeKind::Http);
    check.port_index = 5;
    one.master.edit = [check](TaskLaunch&, TaskSpec& spec) { spec.health_checks = {check}; };
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Error); });
    CHECK(one.master.last("demo.1")->reason == Reason::InvalidSpec);
    CHECK_THAT(one.master.last("demo.1")->message, Catch::Contains("port index 5"));
    CHECK(one.docker.containers().empty());
}

SCENARIO("an image's labels make no checks for tasks that have none") {
    Checked one;
    one.launch(Checked::command(1));
    auto& image = one.docker.add_image("committed:1"); // `docker commit` keeps all labels
    image.labels = one.docker.containers().at(0)->labels;
    REQUIRE_FALSE(image.labels.at(label::health_checks).empty());
    std::map<std::string, int> probes;
    one.docker.set_exec([&](const FakeContainer& container, const std::vector<std::string>&) {
        ++probes[container.labels.at(label::task)];
        return std::pair(0, std::string());
    });
    one.master.edit = nullptr;
    one.master.launch("demo.2", "committed:1");
    one.run_until([&] { return one.master.has("demo.2", TaskState::Running); });
    const auto before = probes["demo.1"];
    one.run_until([&] { return probes["demo.1"] > before + 2; });
    CHECK_FALSE(probes.contains("demo.2"));
}

} // namespace methos::executor::test
