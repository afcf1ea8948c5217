// Model values over the wire and back, and every value that must not get in. A refusal names the
// field.
#include "core/wire/mapping.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/wire_samples.hpp"

#include <functional>

using namespace methos;
using Catch::Matchers::Contains;

namespace {

/// Over the wire: model -> message -> bytes -> message -> model.
template <class Message, class Value>
Value carried(const Value& value) {
    Message out;
    wire::to_wire(value, out);
    Message in;
    REQUIRE(in.ParseFromString(out.SerializeAsString()));
    const auto result = wire::from_wire(in);
    REQUIRE(result);
    return *result;
}

/// What from_wire says of the sample after `spoil` has changed one thing.
template <class Message, class Value>
std::string refusal(const Value& sample, const std::function<void(Message&)>& spoil) {
    Message message;
    wire::to_wire(sample, message);
    spoil(message);
    const auto result = wire::from_wire(message);
    if (result) {
        return "accepted";
    }
    CHECK(result.error().code == Code::Protocol);
    return result.error().message;
}

template <class Message>
struct Case {
    const char* field; ///< "accepted": must get in
    std::function<void(Message&)> spoil;
};

template <class Message, class Value>
void check_cases(const Value& sample, const std::vector<Case<Message>>& cases) {
    for (std::size_t at = 0; at < cases.size(); ++at) {
        INFO("case " << at << " of field " << cases[at].field);
        CHECK_THAT(refusal<Message>(sample, cases[at].spoil), Contains(cases[at].field));
    }
}

const std::string too_long(wire::text_bytes_max + 1, 'x');
const std::string long_name(wire::name_bytes_max + 1, 'x');
const std::string with_nul("a\0b", 3);

} // namespace

TEST_CASE("every field of a host arrives") {
    const auto sample = wire::samples::host();
    CHECK(carried<wire::Host>(sample) == sample);
    HostInfo bare;
    bare.id = HostId("h");
    bare.hostname = "h";
    CHECK(carried<wire::Host>(bare) == bare);
}

TEST_CASE("every field of a task spec arrives") {
    auto sample = wire::samples::spec();
    for (const auto command : {CommandKind::Image, CommandKind::Shell, CommandKind::Args}) {
        for (const auto network :
             {NetworkMode::Host, NetworkMode::Bridge, NetworkMode::User, NetworkMode::None}) {
            sample.command = command;
            sample.network = network;
            CHECK(carried<wire::TaskSpec>(sample) == sample);
        }
    }
    methos::TaskSpec bare;
    bare.number = SpecNumber(1);
    bare.image = "busybox";
    CHECK(carried<wire::TaskSpec>(bare) == bare);
}

TEST_CASE("every field of a task launch arrives") {
    const auto sample = wire::samples::launch();
    CHECK(carried<wire::TaskLaunch>(sample) == sample);
}

TEST_CASE("every field of a task status arrives") {
    auto sample = wire::samples::status();
    CHECK(carried<wire::TaskStatus>(sample) == sample);

    SECTION("each state and reason keeps its number") {
        for (int state = 0; state <= static_cast<int>(TaskState::Unknown); ++state) {
            for (int reason = 0; reason <= static_cast<int>(Reason::HostDraining); ++reason) {
                sample.state = static_cast<TaskState>(state);
                sample.reason = static_cast<Reason>(reason);
                REQUIRE(carried<wire::TaskStatus>(sample) == sample);
            }
        }
    }
    SECTION("absent is not zero") {
        sample.exit_code.reset();
        sample.healthy.reset();
        CHECK(carried<wire::TaskStatus>(sample) == sample);
        sample.exit_code = 0;
        sample.healthy = true;
        CHECK(carried<wire::TaskStatus>(sample) == sample);
    }
    SECTION("either the number or the name is enough") {
        sample.number = TaskNumber();
        CHECK(carried<wire::TaskStatus>(sample) == sample);
        sample.number = TaskNumber(1);
        sample.name = TaskName();
        CHECK(carried<wire::TaskStatus>(sample) == sample);
    }
    SECTION("a message that no receiver would take is made one") {
        sample.message = "caf\xe9 " + std::string(wire::text_bytes_max, '!');
        const auto arrived = carried<wire::TaskStatus>(sample);
        CHECK(arrived.message.size() == 4096); // no more is kept
        CHECK(arrived.message.rfind("caf? !", 0) == 0);
    }
}

TEST_CASE("hosts that cannot be are refused") {
    check_cases<wire::Host>(
        wire::samples::host(),
        {
            {"id", [](auto& host) { host.clear_id(); }},
            {"id", [](auto& host) { host.set_id("../../etc"); }},
            {"id", [](auto& host) { host.set_id(long_name); }},
            {"hostname", [](auto& host) { host.clear_hostname(); }},
            {"hostname", [](auto& host) { host.set_hostname(with_nul); }},
            {"hostname", [](auto& host) { host.set_hostname("a\nb"); }},
            {"hostname", [](auto& host) { host.set_hostname("\x1b[2Ja"); }},
            {"address", [](auto& host) { host.set_address(long_name); }},
            {"address", [](auto& host) { host.set_address("10.0.0.1\r\n"); }},
            {"role", [](auto& host) { host.set_role("a b"); }},
            {"role", [](auto& host) { host.set_role("a\tb"); }},
            {"docker_version", [](auto& host) { host.set_docker_version("20\x7f"); }},
            {"docker_api", [](auto& host) { host.set_docker_api("1.41\n"); }},
            {"trouble", [](auto& host) { host.set_trouble("a\x1b[2J"); }},
            {"milli_cpus", [](auto& host) { host.set_milli_cpus(-1); }},
            {"milli_cpus", [](auto& host) { host.set_milli_cpus(wire::milli_cpus_max + 1); }},
            {"mem_bytes", [](auto& host) { host.set_mem_bytes(INT64_MIN); }},
            {"mem_bytes", [](auto& host) { host.set_mem_bytes(INT64_MAX); }},
            {"disk_bytes", [](auto& host) { host.set_disk_bytes(-5); }},
            {"gpus", [](auto& host) { host.set_gpus(wire::gpus_max + 1); }},
            {"ports", [](auto& host) { host.mutable_ports(0)->set_last(70'000); }},
            {"ports", [](auto& host) { host.mutable_ports(0)->set_first(0); }},
            {"ports", [](auto& host) { host.mutable_ports(0)->set_first(32'001); }},
            {"ports",
             [](auto& host) {
                 for (int i = 0; i < 1'001; ++i) {
                     host.add_ports()->set_first(1);
                 }
             }},
            {"attributes", [](auto& host) { (*host.mutable_attributes())[""] = "x"; }},
            {"attributes", [](auto& host) { (*host.mutable_attributes())["a"] = too_long; }},
            {"attributes", [](auto& host) { (*host.mutable_attributes())["a\nb"] = "x"; }},
            {"attributes", [](auto& host) { (*host.mutable_attributes())["a"] = "x\n"; }},
            {"accepted", [](auto& host) { host.set_hostname("caf\xc3\xa9 of \xe6\x9d\xb1"); }},
            {"accepted", [](auto& host) { (*host.mutable_attributes())["a b"] = "x y"; }},
            {"accepted", [](auto& host) { host.clear_role(); }},
            {"accepted", [](auto& host) { host.clear_ports(); }},
        });
}

TEST_CASE("a host without a role has the default role") {
    wire::Host message;
    wire::to_wire(wire::samples::host(), message);
    message.clear_role();
    const auto info = wire::from_wire(message);
    REQUIRE(info);
    CHECK(info->role == "*");
}

TEST_CASE("task specs that cannot be are refused") {
    check_cases<wire::TaskSpec>(
        wire::samples::spec(),
        {
            {"number", [](auto& spec) { spec.clear_number(); }},
            {"image", [](auto& spec) { spec.clear_image(); }},
            {"image", [](auto& spec) { spec.set_image(with_nul); }},
            {"framework", [](auto& spec) { spec.set_framework(long_name); }},
            {"command", [](auto& spec) { spec.set_command(wire::TaskSpec::Command(3)); }},
            {"command", [](auto& spec) { spec.set_command(wire::TaskSpec::Command(-1)); }},
            {"shell", [](auto& spec) { spec.clear_shell(); }},
            {"shell", [](auto& spec) { spec.set_shell(too_long); }},
            {"args", [](auto& spec) { spec.add_args(too_long); }},
            {"args", [](auto& spec) { spec.add_args(with_nul); }},
            {"args",
             [](auto& spec) {
                 for (std::size_t i = 0; i <= wire::list_length_max; ++i) {
                     spec.add_args();
                 }
             }},
            {"env", [](auto& spec) { (*spec.mutable_env())[""] = "x"; }},
            {"env", [](auto& spec) { (*spec.mutable_env())["A=B"] = "x"; }},
            {"env", [](auto& spec) { (*spec.mutable_env())["A"] = too_long; }},
            {"labels", [](auto& spec) { (*spec.mutable_labels())[with_nul] = "x"; }},
            {"network", [](auto& spec) { spec.set_network(wire::TaskSpec::Network(4)); }},
            {"network_name", [](auto& spec) { spec.clear_network_name(); }},
            {"container_port",
             [](auto& spec) { spec.mutable_ports(0)->set_container_port(70'000); }},
            {"protocol", [](auto& spec) { spec.mutable_ports(0)->set_protocol("sctp"); }},
            {"port name", [](auto& spec) { spec.mutable_ports(0)->set_name(long_name); }},
            {"volume target", [](auto& spec) { spec.mutable_volumes(0)->set_target("data"); }},
            {"volume target", [](auto& spec) { spec.mutable_volumes(0)->clear_target(); }},
            {"volume source", [](auto& spec) { spec.mutable_volumes(0)->set_source(with_nul); }},
            {"docker parameter",
             [](auto& spec) { spec.mutable_docker_parameters(0)->clear_key(); }},
            {"milli_cpus", [](auto& spec) { spec.set_milli_cpus(-1); }},
            {"mem_bytes", [](auto& spec) { spec.set_mem_bytes(-1); }},
            {"disk_bytes", [](auto& spec) { spec.set_disk_bytes(wire::amount_bytes_max + 1); }},
            {"gpus", [](auto& spec) { spec.set_gpus(-1); }},
            {"kill_grace_ms", [](auto& spec) { spec.set_kill_grace_ms(-1); }},
            {"kill_grace_ms", [](auto& spec) { spec.set_kill_grace_ms(INT64_MAX); }},
            {"health check kind",
             [](auto& spec) {
                 spec.mutable_health_checks(0)->set_kind(wire::HealthCheck::Kind(4));
             }},
            {"health check port",
             [](auto& spec) { spec.mutable_health_checks(0)->set_port(70'000); }},
            {"health check path",
             [](auto& spec) { spec.mutable_health_checks(0)->set_path("ping"); }},
            {"health check path",
             [](auto& spec) { spec.mutable_health_checks(0)->set_path("/a\r\nHost: b"); }},
            {"health check command",
             [](auto& spec) { spec.mutable_health_checks(1)->clear_command(); }},
            {"health check env",
             [](auto& spec) { (*spec.mutable_health_checks(1)->mutable_env())[""] = "x"; }},
            {"health check interval_ms",
             [](auto& spec) { spec.mutable_health_checks(0)->set_interval_ms(99); }},
            {"health check timeout_ms",
             [](auto& spec) { spec.mutable_health_checks(0)->set_timeout_ms(-1); }},
            {"health check grace_ms",
             [](auto& spec) { spec.mutable_health_checks(0)->set_grace_ms(INT64_MAX); }},
            {"health_checks",
             [](auto& spec) {
                 for (std::size_t i = 0; i < health_checks_max; ++i) {
                     *spec.add_health_checks() = spec.health_checks(0);
                 }
             }},
            {"fetch uri", [](auto& spec) { spec.mutable_fetch(0)->clear_uri(); }},
            {"fetch output_file",
             [](auto& spec) { spec.mutable_fetch(1)->set_output_file(with_nul); }},
            {"fetch",
             [](auto& spec) {
                 for (std::size_t i = 0; i < fetch_items_max; ++i) {
                     *spec.add_fetch() = spec.fetch(0);
                 }
             }},
            {"accepted", [](auto& spec) { spec.clear_fetch(); }},
            {"accepted", [](auto& spec) { spec.mutable_health_checks(0)->clear_path(); }},
            {"accepted", [](auto& spec) { spec.clear_health_checks(); }},
            {"accepted", [](auto& spec) { spec.mutable_ports(0)->clear_protocol(); }},
            {"accepted", [](auto& spec) { spec.clear_hash(); }},
        });
}

TEST_CASE("task launches that cannot be are refused") {
    check_cases<wire::TaskLaunch>(
        wire::samples::launch(),
        {
            {"number", [](auto& launch) { launch.clear_number(); }},
            {"name", [](auto& launch) { launch.clear_name(); }},
            {"name", [](auto& launch) { launch.set_name(with_nul); }},
            {"name", [](auto& launch) { launch.set_name(long_name); }},
            {"spec", [](auto& launch) { launch.clear_spec(); }},
            {"attempt", [](auto& launch) { launch.clear_attempt(); }},
            {"host_ports", [](auto& launch) { launch.add_host_ports(70'000); }},
            {"host_ports", [](auto& launch) { launch.add_host_ports(0); }},
            {"host_ports",
             [](auto& launch) {
                 for (std::size_t i = 0; i <= wire::list_length_max; ++i) {
                     launch.add_host_ports(1);
                 }
             }},
            {"env", [](auto& launch) { (*launch.mutable_env())["="] = "x"; }},
            {"request", [](auto& launch) { launch.set_request(long_name); }},
            {"accepted", [](auto& launch) { launch.clear_request(); }},
        });
}

TEST_CASE("task statuses that cannot be are refused") {
    check_cases<wire::TaskStatus>(
        wire::samples::status(),
        {
            {"task",
             [](auto& status) {
                 status.clear_number();
                 status.clear_name();
             }},
            {"name", [](auto& status) { status.set_name(with_nul); }},
            {"state", [](auto& status) { status.set_state(13); }},
            {"state", [](auto& status) { status.set_state(0xffffffffU); }},
            {"message", [](auto& status) { status.set_message(too_long); }},
            {"time_ms", [](auto& status) { status.set_time_ms(-1); }},
            {"time_ms", [](auto& status) { status.set_time_ms(INT64_MAX); }},
            {"started_at_ms", [](auto& status) { status.set_started_at_ms(INT64_MIN); }},
            {"container_id", [](auto& status) { status.set_container_id(long_name); }},
            {"ip_addresses", [](auto& status) { status.add_ip_addresses(long_name); }},
            {"host_ports", [](auto& status) { status.add_host_ports(65'536); }},
            {"accepted", [](auto& status) { status.clear_stamp(); }},
            {"accepted", [](auto& status) { status.set_exit_code(INT32_MIN); }},
        });
}

TEST_CASE("a reason of a newer build explains nothing and harms nothing") {
    wire::TaskStatus message;
    wire::to_wire(wire::samples::status(), message);
    message.set_reason(9'999);
    const auto status = wire::from_wire(message);
    REQUIRE(status);
    CHECK(status->reason == Reason::None);
    CHECK(status->state == TaskState::Failed);
}

TEST_CASE("figures of an image that cannot be cost the figures, not the status") {
    wire::TaskStatus message;
    const auto spoil = GENERATE(
        as<std::function<void(wire::ImageProgress&)>>{},
        [](auto& image) { image.set_bytes_done(INT64_MAX); },
        [](auto& image) { image.set_bytes_total(-1); },
        [](auto& image) { image.set_percent(101); },
        [](auto& image) { image.set_layers_done(8); },
        [](auto& image) { image.set_layers_total(0xffffffffU); });
    wire::to_wire(wire::samples::status(), message);
    spoil(*message.mutable_image());
    const auto status = wire::from_wire(message);
    REQUIRE(status);
    CHECK_FALSE(status->image);
    CHECK(status->state == TaskState::Failed);
}

TEST_CASE("a message is written whole, whatever was in it before") {
    wire::TaskSpec spec;
    wire::to_wire(wire::samples::spec(), spec);
    methos::TaskSpec bare;
    bare.number = SpecNumber(1);
    bare.image = "busybox";
    wire::to_wire(bare, spec);
    const auto read = wire::from_wire(spec);
    REQUIRE(read);
    CHECK(*read == bare);
}
