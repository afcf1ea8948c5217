// The Engine's protocol without an Engine: create bodies, decoding of what versions leave out, pull
// streams, stalls, frames and log lines cut anywhere, paths that must not lead elsewhere.
#include "executor/docker/create_body.hpp"
#include "executor/docker/decode.hpp"
#include "executor/docker/engine.hpp"
#include "executor/docker/frames.hpp"
#include "executor/docker/lines.hpp"
#include "executor/docker/path.hpp"
#include "executor/docker/pull_parser.hpp"
#include "executor/docker/registry_auth.hpp"
#include "executor/docker/time_text.hpp"
#include "executor/streams/log_lines.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace methos::docker {

namespace {

using Json = nlohmann::json;

ContainerConfig small_config() {
    ContainerConfig config;
    config.image = "sha256:abc";
    return config;
}

Json body_of(const ContainerConfig& config) {
    return Json::parse(create_body(config).value());
}

std::string frame(char channel, const std::string& payload) {
    std::string bytes(8, '\0');
    bytes[0] = channel;
    bytes[6] = static_cast<char>(payload.size() >> 8U);
    bytes[7] = static_cast<char>(payload.size() & 0xffU);
    return bytes + payload;
}

std::vector<streams::LogLine>
lines_of(const std::string& bytes, streams::LogFormat format, std::size_t step) {
    streams::LogLines parser(format);
    std::vector<streams::LogLine> lines;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
        parser.feed(std::string_view(bytes).substr(i, step), lines);
    }
    parser.finish(lines);
    return lines;
}

constexpr const char* noon = "2026-11-22T12:00:00.000000007Z";

} // namespace

TEST_CASE("a container is never restarted or removed behind our back") {
    const auto host = body_of(small_config()).at("HostConfig");
    CHECK(host.at("RestartPolicy").at("Name") == "no");
    CHECK(host.at("AutoRemove") == false);
    CHECK(host.at("Init") == true);
    CHECK(host.at("LogConfig").at("Type") == "json-file");
    CHECK(host.at("LogConfig").at("Config").contains("max-size"));
    CHECK_FALSE(host.contains("Memory"));
    CHECK_FALSE(host.contains("CpuShares"));
}

TEST_CASE("resources become limits") {
    auto config = small_config();
    config.cpu_milli = 1500;
    config.memory_bytes = 128 << 20;
    auto host = body_of(config).at("HostConfig");
    CHECK(host.at("CpuShares") == 1536);
    CHECK(host.at("Memory") == 128 << 20);
    CHECK(host.at("MemorySwap") == 128 << 20);
    CHECK_FALSE(host.contains("NanoCpus"));
    config.cpu_limit_milli = 1500;
    host = body_of(config).at("HostConfig");
    CHECK(host.at("NanoCpus") == 1'500'000'000);
    CHECK(cpu_shares_of(1) == cpu_shares_min);
    CHECK(cpu_shares_of(std::int64_t{1} << 60) == cpu_shares_max);
}

TEST_CASE("ports, mounts, environment and the command have the Engine's shapes") {
    auto config = small_config();
    config.entrypoint = std::vector<std::string>{};
    config.command = {"a", "b"};
    config.environment.emplace_back("K", "v=w");
    PortBinding port;
    port.container_port = 53;
    port.transport = Transport::Udp;
    port.host_port = 5353;
    port.host_ip = "10.0.0.1";
    config.ports.push_back(port);
    Mount bind;
    bind.source = "/host";
    bind.target = "/data";
    bind.read_only = true;
    config.mounts.push_back(bind);
    bind.create_source = true;
    bind.target = "/made";
    config.mounts.push_back(bind);
    config.stop_timeout = std::chrono::milliseconds(1500);
    const auto body = body_of(config);
    CHECK(body.at("Entrypoint") == Json::array());
    CHECK(body.at("Cmd") == Json::parse(R"(["a","b"])"));
    CHECK(body.at("Env") == Json::parse(R"(["K=v=w"])"));
    CHECK(body.at("ExposedPorts").contains("53/udp"));
    CHECK(body.at("StopTimeout") == 2);
    const auto& host = body.at("HostConfig");
    CHECK(host.at("PortBindings") ==
          Json::parse(R"({"53/udp":[{"HostIp":"10.0.0.1","HostPort":"5353"}]})"));
    CHECK(host.at("Mounts").size() == 1);
    CHECK(host.at("Mounts")[0].at("Source") == "/host");
    CHECK(host.at("Mounts")[0].at("ReadOnly") == true);
    CHECK(host.at("Binds") == Json::parse(R"(["/host:/made:ro"])"));
}

TEST_CASE("configurations that cannot work are refused with the reason") {
    auto config = small_config();
    SECTION("a relative host path") {
        Mount mount;
        mount.source = "data";
        mount.target = "/data";
        config.mounts.push_back(mount);
        CHECK(create_body(config).error().fault == EngineFault::BadMount);
    }
    SECTION("too little memory") {
        config.memory_bytes = 1024;
        CHECK(create_body(config).error().message.find("6 MiB") != std::string::npos);
    }
    SECTION("a variable without a name") {
        config.environment.emplace_back("", "x");
        CHECK(create_body(config).error().fault == EngineFault::BadConfig);
    }
    SECTION("text that is not UTF-8") {
        config.environment.emplace_back("X", "\xff");
        CHECK(create_body(config).error().fault == EngineFault::BadConfig);
    }
    SECTION("no image") {
        config.image.clear();
        CHECK(create_body(config).error().fault == EngineFault::BadConfig);
    }
}

TEST_CASE("absent, null and empty are the same") {
    const auto* body = GENERATE(R"({"Id":"a"})",
                                R"({"Id":"a","Config":null,"State":null,"NetworkSettings":null})",
                                R"({"Id":"a","Config":{"Env":null,"Labels":null},"State":{},
                                    "NetworkSettings":{"Ports":null,"Networks":null}})",
                                R"({"Id":"a","Config":7,"State":[],"NetworkSettings":"x"})");
    const auto container = decode_container(body);
    CHECK(container.id == "a");
    CHECK(container.status == ContainerStatus::Unknown);
    CHECK(container.labels.empty());
    CHECK(container.ports.empty());
    CHECK(container.addresses.empty());
    CHECK(container.health == EngineHealth::None);
}

TEST_CASE("an answer without its id, or that is no JSON, is a protocol error") {
    CHECK_THROWS_AS(decode_container("{}"), Failure);
    CHECK_THROWS_AS(decode_container("<html>"), Failure);
    CHECK_THROWS_AS(decode_container("{\"Id\":"), Failure);
    CHECK_THROWS_AS(decode_list("{}"), Failure);
    CHECK(decode_list("null").empty());
    const auto ended = decode_list(
        R"([{"Id":"c1","State":"exited","Status":"Exited (137) 2 hours ago"},{"Id":"c2"}])");
    CHECK(ended.at(0).exit_code == 137);
    CHECK(ended.at(1).exit_code == 0);
    CHECK_THROWS_AS(decode_version(R"({"Version":"1"})"), Failure);
    CHECK(decode_message(R"({"message":"m"})") == "m");
    CHECK(decode_message("plain\n") == "plain");
    CHECK(decode_message("") == "no reason given");
}

TEST_CASE("addresses are found where old and new versions put them") {
    const auto old = decode_container(
        R"({"Id":"a","NetworkSettings":{"IPAddress":"172.17.0.2","Gateway":"172.17.0.1"}})");
    const auto moved = decode_container(
        R"({"Id":"a","NetworkSettings":{"Networks":{"bridge":{"IPAddress":"172.17.0.2",
            "Gateway":"172.17.0.1"}}}})");
    REQUIRE(old.addresses.size() == 1);
    CHECK(old.addresses == moved.addresses);
    const auto ports = decode_container(
        R"({"Id":"a","NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0",
            "HostPort":"32768"},{"HostIp":"::","HostPort":"32768"}],"81/udp":null,
            "x":[{"HostPort":"1"}],"82/tcp":[{"HostPort":"70000"}]}}})");
    REQUIRE(ports.ports.size() == 2);
    CHECK(ports.ports[0].host_port == 32768);
    CHECK(ports.ports[0].container_port == 80);
}

TEST_CASE("a failed start is not a container that was never started") {
    const auto failed = decode_container(
        R"({"Id":"a","State":{"Status":"created","ExitCode":127,"Error":"exec"}})");
    const auto fresh =
        decode_container(R"({"Id":"a","State":{"Status":"created","ExitCode":0,"Error":""}})");
    CHECK(failed.is_failed_start());
    CHECK_FALSE(fresh.is_failed_start());
}

TEST_CASE("events of old and new versions read alike") {
    const auto event = decode_event(
        R"({"Type":"container","Action":"die","Actor":{"ID":"a","Attributes":{"exitCode":"137"}},
            "timeNano":5})");
    CHECK(event.action == "die");
    CHECK(event.exit_code() == 137);
    CHECK(event.time == 5);
    const auto old = decode_event(R"({"status":"start","id":"a","from":"x","time":1})");
    CHECK(old.action == "start");
    CHECK(old.id == "a");
    const auto health = decode_event(R"({"Type":"container","Action":"health_status: healthy"})");
    CHECK(health.action == "health_status");
    CHECK(health.detail == "healthy");
    CHECK_THROWS_AS(decode_event("[]"), Failure);
}

TEST_CASE("times are read with and without fraction and offset") {
    CHECK(parse_time("1970-01-01T00:00:01Z") == 1'000'000'000);
    CHECK(parse_time("1970-01-01T00:00:01.5Z") == 1'500'000'000);
    CHECK(parse_time("1970-01-01T01:00:00.000000001+01:00") == 1);
    CHECK(parse_time("0001-01-01T00:00:00Z") == 0);
    CHECK_FALSE(parse_time("1970-02-30T00:00:00Z"));
    CHECK_FALSE(parse_time("1970-01-01T00:00:00"));
    CHECK_FALSE(parse_time("hello"));
    CHECK(format_since(1'700'000'000'000'000'005) == "1700000000.000000005");
}

TEST_CASE("lines come out whole, wherever the stream was cut") {
    const std::string text = "{\"a\":1}\r\n\n{\"b\":2}\nrest";
    const auto step = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{100});
    LineSplitter splitter;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < text.size(); i += step) {
        splitter.feed(text.substr(i, step));
        while (auto line = splitter.next()) {
            lines.push_back(*line);
        }
    }
    CHECK(lines == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"});
    CHECK(splitter.rest() == "rest");
    LineSplitter small(4);
    small.feed("1234");
    CHECK_THROWS_AS(small.feed("5"), Failure);
}

TEST_CASE("a pull adds up its layers") {
    PullParser parser;
    CHECK(parser.take_line(R"({"status":"Pulling fs layer","progressDetail":{},"id":"a"})"));
    parser.take_line(R"({"status":"Already exists","progressDetail":{},"id":"b"})");
    parser.take_line(
        R"({"status":"Downloading","progressDetail":{"current":40,"total":100},"id":"a"})");
    CHECK(parser.progress().bytes_done == 40);
    CHECK(parser.progress().bytes_total == 100);
    CHECK(parser.progress().layers_done == 1);
    CHECK(parser.progress().layers_total == 2);
    const auto work = parser.progress().work;
    parser.take_line(R"({"status":"Retrying in 5 seconds","progressDetail":{},"id":"a"})");
    CHECK(parser.progress().retrying);
    CHECK(parser.progress().work == work);
    parser.take_line(R"({"status":"Download complete","progressDetail":{},"id":"a"})");
    CHECK(parser.progress().bytes_done == 100);
    CHECK(parser.progress().work > work);
    parser.take_line(R"({"status":"Pull complete","progressDetail":{},"id":"a"})");
    CHECK(parser.progress().layers_done == 2);
    parser.take_line(R"({"status":"Digest: sha256:d"})");
    CHECK(parser.digest() == "sha256:d");
    CHECK_FALSE(parser.error());
    parser.take_line(R"({"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"})");
    CHECK(parser.error() == "unexpected EOF");
    CHECK_THROWS_AS(parser.take_line("no json"), Failure);
}

TEST_CASE("numbers of a registry cannot overflow the sums") {
    PullParser parser;
    for (int i = 0; i < 8; ++i) {
        parser.take_line(R"({"status":"Downloading","id":")" + std::to_string(i) +
                         R"(","progressDetail":{"current":9223372036854775807,"total":-5}})");
    }
    CHECK(parser.progress().bytes_done > 0);
    CHECK(parser.progress().bytes_total >= parser.progress().bytes_done);
}

TEST_CASE("a pull that talks without moving is stalled after the limit, a moving one never") {
    StallWatch watch(std::chrono::seconds(120));
    const MonoTime start{};
    CHECK_FALSE(watch.is_stalled(1, start));
    CHECK_FALSE(watch.is_stalled(1, start + std::chrono::seconds(600))); // silence is not stalling
    CHECK_FALSE(watch.is_stalled(1, start + std::chrono::seconds(700)));
    CHECK_FALSE(watch.is_stalled(2, start + std::chrono::seconds(710)));
    CHECK_FALSE(watch.is_stalled(2, start + std::chrono::seconds(720)));
    CHECK(watch.is_stalled(2, start + std::chrono::seconds(840)));
}

TEST_CASE("log lines come out whole, wherever the stream was cut") {
    const auto stamp = std::string(noon) + " ";
    const auto bytes = frame('\1', stamp + "one\n") + frame('\2', stamp + "bad\n") +
                       frame('\1', stamp + std::string(16384, 'x')) +
                       frame('\2', stamp + "between\n") + frame('\1', stamp + "y\n") +
                       frame('\1', stamp + "\n") + frame('\1', stamp + "unfinished");
    const auto step = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{1 << 20});
    const auto lines = lines_of(bytes, {}, step);
    REQUIRE(lines.size() == 6);
    CHECK(lines[0].text == "one");
    CHECK(lines[0].time == parse_time(noon));
    CHECK(lines[1].channel == Channel::Err);
    CHECK(lines[2].text == "between");
    CHECK(lines[3].text == std::string(16384, 'x') + "y");
    CHECK(lines[4].text.empty());
    CHECK(lines[5].text == "unfinished");
}

TEST_CASE("a terminal's lines are joined over their parts") {
    const auto stamp = std::string(noon) + " ";
    streams::LogFormat format;
    format.tty = true;
    const auto bytes = stamp + "one\r\n" + stamp + std::string(16384, 'x') + stamp + "y\r\n";
    const auto lines = lines_of(bytes, format, 1000);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].text == "one");
    CHECK(lines[1].text == std::string(16384, 'x') + "y");
}

TEST_CASE("a line over the cap is cut and the next one is whole") {
    streams::LogFormat format;
    format.tty = true;
    format.timestamps = false;
    const auto lines =
        lines_of(std::string(streams::log_line_bytes_max + 5, 'x') + "\nnext\n", format, 4096);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].is_cut);
    CHECK(lines[0].text.size() == streams::log_line_bytes_max);
    CHECK(lines[1].text == "next");
    CHECK_FALSE(lines[1].is_cut);
}

TEST_CASE("what is no frame is not read as one") {
    FrameParser parser(100);
    std::vector<Frame> frames;
    CHECK_THROWS_AS(parser.feed("2026-11-22T12:00:00Z hello", frames), Failure);
    FrameParser huge(100);
    CHECK_THROWS_AS(huge.feed(std::string("\1\0\0\0\x7f\0\0\0", 8), frames), Failure);
    FrameParser capped(3);
    capped.feed(frame('\1', "hello"), frames);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].payload == "hel");
    CHECK(frames[0].is_cut);
    CHECK(capped.is_between_frames());
}

TEST_CASE("names cannot lead a request elsewhere") {
    CHECK(is_image_reference("127.0.0.1:5000/docker.io/library/nginx:1.25"));
    CHECK(is_image_reference("nginx@sha256:abc"));
    CHECK(is_image_reference("[::1]:5000/x"));
    for (const auto* bad : {"",
                            "../containers/x",
                            "a/../b",
                            "a//b",
                            "/a",
                            "a/",
                            "a?b",
                            "a#b",
                            "a b",
                            "a%2e",
                            "a/./b",
                            "a\nb"}) {
        INFO(bad);
        CHECK_FALSE(is_image_reference(bad));
    }
    CHECK(is_container_name("methos-a_b.c-1"));
    for (const auto* bad : {"", ".", "..", "a/b", "a?b", "-a", "a b"}) {
        INFO(bad);
        CHECK_FALSE(is_container_name(bad));
    }
}

TEST_CASE("addresses of sockets are checked") {
    CHECK(parse_socket_address("unix:///var/run/docker.sock").value() == "/var/run/docker.sock");
    CHECK(parse_socket_address("/x").value() == "/x");
    CHECK(parse_socket_address("tcp://1.2.3.4:2375").has_error());
    CHECK(parse_socket_address("unix://relative").has_error());
    CHECK(parse_socket_address("/" + std::string(107, 'x')).has_error());
    CHECK(parse_socket_address("/" + std::string(106, 'x')).has_value());
}

TEST_CASE("credentials are written as the Engine reads them") {
    CHECK(base64_url("\xfb\xff") == "-_8=");
    CHECK(base64_url("") == "");
    CHECK(base64_url("abc") == "YWJj");
    RegistryAuth auth;
    auth.username = "u";
    auth.password = "p";
    CHECK(registry_auth_header(auth) == base64_url(R"({"password":"p","username":"u"})"));
    PullRequest request;
    request.image = "x";
    CHECK(request.reference() == "x:latest");
    request.tag = "sha256:abc";
    CHECK(request.reference() == "x@sha256:abc");
}

} // namespace methos::docker
