// One value of each thing the bus carries, with every field set and no two fields alike, so that a
// field that is lost or swapped on the way shows. Used by the wire's unit tests and its fuzz
// target.
#pragma once

#include "core/wire/mapping.hpp"

#include <string>
#include <vector>

namespace methos::wire::samples {

inline HostInfo host() {
    HostInfo info;
    info.id = HostId("3f9a-host.1_b");
    info.hostname = "worker-1.example";
    info.address = "10.0.0.7";
    info.resources.scalars = Resources{4'000, 8LL << 30, 100LL << 30, 2};
    info.resources.ports.insert(methos::PortRange{31'000, 32'000});
    info.resources.ports.insert(std::uint16_t{40'000});
    info.attributes = {{"rack", "a"}, {"zone", ""}};
    info.role = "batch";
    info.docker_version = "20.10.24";
    info.docker_api = "1.41";
    info.docker_up = true;
    info.trouble = "its disk is nearly full";
    return info;
}

inline methos::TaskSpec spec() {
    methos::TaskSpec spec;
    spec.number = SpecNumber(1'234'567'890'123);
    spec.framework = "services";
    spec.app = "/shop/web";
    spec.version = "2026-01-02T03:04:05.678Z";
    spec.image = "registry.example:5000/team/web:1";
    spec.force_pull = true;
    spec.command = CommandKind::Shell;
    spec.shell = "exec httpd -p $PORT0";
    spec.args = {"-v", "", "über"};
    spec.env = {{"A", "1"}, {"EMPTY", ""}};
    spec.labels = {{"team", "blue"}};
    spec.network = NetworkMode::User;
    spec.network_name = "backend";
    spec.ports = {{8080, "tcp", "http"}, {0, "udp,tcp", ""}};
    spec.volumes = {{"/srv/data", "/data", true}, {"cache", "/var/cache", false}};
    spec.docker_parameters = {{"ulimit", "nofile=1024"}, {"ulimit", "core=0"}};
    spec.privileged = true;
    spec.user = "nobody";
    spec.resources = Resources{1'500, 64LL << 20, 7, 1};
    spec.kill_grace = std::chrono::milliseconds(2'500);
    methos::HealthCheck web;
    web.kind = ProbeKind::Https;
    web.port_index = 1;
    web.path = "/ping?deep=1";
    web.ipv6 = true;
    web.ignore_1xx = true;
    web.delay = std::chrono::seconds(15);
    web.grace = std::chrono::minutes(5);
    web.interval = std::chrono::milliseconds(1'500);
    web.timeout = std::chrono::seconds(20);
    web.failures_max = 0;
    methos::HealthCheck tool;
    tool.kind = ProbeKind::Command;
    tool.port = 9;
    tool.command = {"/bin/sh", "-c", "test -f /ok"};
    tool.env = {{"A", "1"}};
    spec.health_checks = {web, tool};
    spec.fetch = {{"https://u:p@files.example/a.tgz?t=1", "", true, false, true},
                  {"http://files.example/run", "bin/run", false, true, false}};
    spec.hash = "00112233445566778899aabbccddeeff";
    return spec;
}

inline methos::TaskLaunch launch() {
    methos::TaskLaunch launch;
    launch.number = TaskNumber(42);
    launch.name = TaskName("shop_web.instance-8d9d3b1c._app.1");
    launch.spec = SpecNumber(1'234'567'890'123);
    launch.attempt = 3;
    launch.host_ports = {31'005, 65'535};
    launch.env = {{"HOST", "worker-1"}, {"PORT0", "31005"}};
    launch.request = RequestId("req-77");
    return launch;
}

inline methos::TaskStatus status() {
    methos::TaskStatus status;
    status.number = TaskNumber(42);
    status.name = TaskName("shop_web.instance-8d9d3b1c._app.1");
    status.stamp = 1ULL << 60U;
    status.state = TaskState::Failed;
    status.reason = Reason::ContainerOom;
    status.message = "out of memory";
    status.time = WallTime(std::chrono::milliseconds(1'767'323'045'678));
    status.container_id = "0123456789abcdef";
    status.ip_addresses = {"172.17.0.2", "fd00::2"};
    status.host_ports = {31'005, 1};
    status.exit_code = -137;
    status.healthy = false;
    status.started_at = WallTime(std::chrono::milliseconds(1'767'323'000'001));
    status.image = methos::ImageProgress{1LL << 40U, 1LL << 41U, 50, 3, 7};
    return status;
}

/// One frame of each kind, all of one session.
inline std::vector<Frame> frames() {
    const SessionMark mark{7'000'000'001, 12};
    std::vector<Frame> frames;
    const auto next = [&frames, mark]() -> Frame& {
        frames.push_back(make_frame(mark));
        return frames.back();
    };

    auto* hello = next().mutable_hello();
    hello->set_protocol_min(1);
    hello->set_protocol_max(2);
    hello->set_build("0.1.0");
    hello->add_features("streams");
    hello->set_connection(Hello::STREAM);
    hello->set_join_secret("secret");
    hello->set_host_key("key");
    hello->set_control_session(9);
    to_wire(host(), *hello->mutable_host());

    auto* welcome = next().mutable_welcome();
    welcome->set_protocol(1);
    welcome->set_cluster("c1");
    welcome->set_build("0.1.0");
    welcome->set_beat_interval_ms(500);
    welcome->set_beats_to_loss(4);

    frames.push_back(make_refused(mark, Refused::BAD_SECRET, "wrong token"));
    frames.push_back(make_beat(mark, 5));
    frames.push_back(make_goodbye(mark, 30'000));
    to_wire(host(), *next().mutable_host());
    to_wire(status(), *next().mutable_inventory()->add_tasks());

    auto* out = next().mutable_launch();
    to_wire(spec(), *out->add_specs());
    to_wire(launch(), *out->add_tasks());

    auto* kill = next().mutable_kill()->add_tasks();
    kill->set_number(42);
    kill->set_name("t");
    kill->set_grace_ms(-1);

    to_wire(status(), *next().mutable_status()->add_tasks());

    auto* ack = next().mutable_ack()->add_tasks();
    ack->set_number(42);
    ack->set_name("t");
    ack->set_stamp(3);

    auto* open = next().mutable_stream_open();
    open->set_stream(1);
    open->set_task("t");
    open->set_follow(true);
    open->set_tail(-1);
    open->set_since_ms(1'767'323'045'678);
    open->set_timestamps(true);
    open->set_credit_bytes(stream_credit_bytes_max);

    auto* data = next().mutable_stream_data();
    data->set_stream(1);
    auto* line = data->add_lines();
    line->set_time_ns(1'767'323'045'678'000'000);
    line->set_channel(2);
    line->set_text(std::string("raw \xff\0 bytes", 12));

    auto* credit = next().mutable_stream_credit();
    credit->set_stream(1);
    credit->set_bytes(32'768);

    auto* end = next().mutable_stream_end();
    end->set_stream(1);
    end->set_error("gone");
    end->set_code("not_found");
    return frames;
}

} // namespace methos::wire::samples
