// Checks on their way through a container's label: ports are settled as the task's own network
// numbers them, everything else comes back as it was, and no foreign text breaks the reader.
#include "executor/checks/check_label.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

TaskSpec bridge_spec(HealthCheck check) {
    TaskSpec spec;
    spec.network = NetworkMode::Bridge;
    spec.ports = {PortMapping{80, "tcp", "web"}, PortMapping{0, "tcp", "same"}};
    spec.health_checks = {std::move(check)};
    return spec;
}

TaskLaunch launch_with(std::vector<std::uint16_t> ports) {
    TaskLaunch launch;
    launch.host_ports = std::move(ports);
    return launch;
}

} // namespace

TEST_CASE("A check's port is the one the task's own network knows") {
    HealthCheck check;
    auto spec = bridge_spec(check);
    const auto launch = launch_with({31000, 31001});
    const auto port = [&] { return settle_checks(spec, launch).value().checks.at(0).port; };

    SECTION("without a word: the first, behind a bridge the container's") {
        CHECK_FALSE(settle_checks(spec, launch).value().host_network);
        CHECK(port() == 80);
    }
    SECTION("on the host's network the host's") {
        spec.network = NetworkMode::Host;
        CHECK(settle_checks(spec, launch).value().host_network);
        CHECK(port() == 31000);
    }
    SECTION("a port that is the same on both sides") {
        spec.health_checks[0].port_index = 1;
        CHECK(port() == 31001);
    }
    SECTION("one named by number") {
        spec.health_checks[0].port = 9090;
        CHECK(port() == 9090);
    }
}

TEST_CASE("A check of what the task does not have is refused with a sentence") {
    HealthCheck check;
    check.port_index = 2;
    const auto beyond = settle_checks(bridge_spec(check), launch_with({31000, 31001}));
    REQUIRE_FALSE(beyond);
    CHECK(beyond.error().message ==
          "a health check asks for port index 2, and the task has 2 ports");

    auto lonely = bridge_spec(HealthCheck());
    lonely.network = NetworkMode::None;
    CHECK_FALSE(settle_checks(lonely, launch_with({31000})));
    lonely.health_checks[0].kind = ProbeKind::Command;
    lonely.health_checks[0].command = {"true"};
    CHECK(settle_checks(lonely, launch_with({31000})));
}

TEST_CASE("What is written to the label is read again") {
    HealthCheck web;
    web.kind = ProbeKind::Https;
    web.port = 8443;
    web.ipv6 = true;
    web.path = "/health?\"deep\"=1";
    web.ignore_1xx = true;
    web.delay = 1500ms;
    web.grace = 300s;
    web.interval = 60s;
    web.timeout = 20s;
    web.failures_max = 0;
    HealthCheck tool;
    tool.kind = ProbeKind::Command;
    tool.command = {"/bin/sh", "-c", "test -f /ok"};
    tool.env = {{"A", "b"}};
    HealthCheck tcp;
    tcp.kind = ProbeKind::Tcp;
    tcp.port = 1;
    const SettledChecks settled{{web, tool, tcp}, GENERATE(false, true)};
    CHECK(parse_health_label(health_label(settled)).value() == settled);
}

TEST_CASE("A label that is none of ours is refused, not believed") {
    const auto* text = GENERATE("",
                                "[",
                                "[1]",
                                R"({"hostNetwork":true})",
                                R"({"checks":[]})",
                                R"({"hostNetwork":1,"checks":[]})",
                                R"({"hostNetwork":true,"checks":[{"kind":"gopher","delayMs":0,)"
                                R"("graceMs":0,"intervalMs":1,"timeoutMs":0,"failuresMax":1}]})",
                                R"({"hostNetwork":true,"checks":[{"kind":"tcp"}]})");
    CHECK_FALSE(parse_health_label(text));
}

} // namespace methos::executor
