// Events as clients read them: one line of ASCII each, with the fields that real clients cannot do
// without (mesos-framework needs offer.url.address.ip and offer.hostname).
#include "master/frameworks/external/definition/message_fields.hpp"
#include "master/frameworks/external/definition/print.hpp"
#include "tests/support/catch.hpp"

#include <string>

using namespace methos;
using namespace methos::external;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// A cluster in its first epoch with one host.
struct World {
    World() {
        cluster::Step step(now);
        cluster.begin(step, "cluster-1");
        HostInfo info;
        info.id = HostId("H");
        info.hostname = "h1";
        info.address = "10.0.0.7";
        info.resources.scalars = {2500, 1024 * bytes_per_mb, 0, 1};
        info.attributes = {{"rack", "a"}};
        info.docker_up = true;
        cluster.host_joined(SessionNumber(1), info, "key", step);
        host = cluster.find_host(HostId("H"))->number;
    }

    json print(EventBody body) {
        MasterInfo master;
        master.id = "m";
        master.hostname = "mh";
        master.ip = "10.0.0.1";
        master.port = 8080;
        master.version = "1.11.0";
        const PrintContext context{cluster, master, 5s};
        const auto line = print_event(Event(StreamNumber(1), std::move(body)), context);
        REQUIRE(line.find('\n') == std::string::npos);
        for (const char c : line) {
            REQUIRE(static_cast<unsigned char>(c) < 0x80);
        }
        return json::parse(line);
    }

    Now now{MonoTime(1h), WallTime(1'700'000'000'250ms)};
    cluster::Cluster cluster{cluster::Policy()};
    HostNumber host;
};

} // namespace

TEST_CASE(
    "SUBSCRIBED tells who the framework is, how often to expect a beat, and who the master is") {
    World world;
    const auto event = world.print(Subscribed{FrameworkId("F")});
    CHECK(event["type"] == "SUBSCRIBED");
    CHECK(event["subscribed"]["framework_id"]["value"] == "F");
    CHECK(event["subscribed"]["heartbeat_interval_seconds"] == 5.0);
    CHECK(event["subscribed"]["master_info"]["address"]["port"] == 8080);
    CHECK(event["subscribed"]["master_info"]["version"] == "1.11.0");
}

TEST_CASE("OFFERS tell of hosts what frameworks choose by") {
    World world;
    cluster::Offer offer;
    offer.number = OfferNumber(5);
    offer.host = world.host;
    offer.role = "ads";
    offer.resources = {500, 64 * bytes_per_mb, 0, 0};
    offer.ports = PortSet(PortRange{31000, 31001});
    Offers body;
    body.framework = FrameworkId("F");
    body.offers = {offer};
    auto printed = world.print(body)["offers"]["offers"][0];
    CHECK(printed["id"]["value"] == "1-O5");
    CHECK(printed["framework_id"]["value"] == "F");
    CHECK(printed["agent_id"]["value"] == "H");
    CHECK(printed["hostname"] == "h1");
    CHECK(printed["url"]["address"]["ip"] == "10.0.0.7");
    CHECK(printed["attributes"] ==
          json::parse(R"([{"name":"rack","type":"TEXT","text":{"value":"a"}}])"));
    CHECK(printed["resources"] == json::parse(R"([
        {"name":"cpus","type":"SCALAR","scalar":{"value":0.5},"role":"*"},
        {"name":"mem","type":"SCALAR","scalar":{"value":64.0},"role":"*"},
        {"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":31001}]},"role":"*"}])"));
    CHECK_FALSE(printed.contains("allocation_info"));
    body.multi_role = true;
    printed = world.print(body)["offers"]["offers"][0];
    CHECK(printed["allocation_info"]["role"] == "ads");
    CHECK(printed["resources"][0]["allocation_info"]["role"] == "ads");
    CHECK(world.print(Rescind{OfferNumber(5)})["rescind"]["offer_id"]["value"] == "1-O5");
}

TEST_CASE("UPDATE carries a status as Mesos has it") {
    World world;
    Update update;
    update.task_id = "t\xc3\xa4sk";
    update.agent_id = HostId("H");
    update.state = TaskState::Running;
    update.source = StatusSource::Executor;
    update.time = world.now.wall;
    update.uuid = std::string("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);
    update.healthy = true;
    update.container_id = "c1";
    update.ip_addresses = {"172.17.0.2", "fe80::1"};
    CHECK(world.print(update) == json::parse(R"({"type":"UPDATE","update":{"status":{
        "task_id":{"value":"t\u00e4sk"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR",
        "timestamp":1700000000.25,"agent_id":{"value":"H"},"executor_id":{"value":"t\u00e4sk"},
        "uuid":"AAECAwQFBgcICQoLDA0ODw==","healthy":true,"container_status":{
        "container_id":{"value":"c1"},"network_infos":[{"ip_addresses":[
        {"protocol":"IPv4","ip_address":"172.17.0.2"},
        {"protocol":"IPv6","ip_address":"fe80::1"}]}]}}}})"));

    Update lost;
    lost.task_id = "t";
    lost.state = TaskState::Unreachable;
    lost.lost = true;
    lost.reason = "REASON_AGENT_REMOVED";
    lost.unreachable_since = WallTime(1500ms);
    const auto status = world.print(lost)["update"]["status"];
    CHECK(status["state"] == "TASK_LOST");
    CHECK(status["source"] == "SOURCE_MASTER");
    CHECK(status["reason"] == "REASON_AGENT_REMOVED");
    CHECK(status["unreachable_time"]["nanoseconds"] == 1'500'000'000);
    CHECK_FALSE(status.contains("uuid"));
    CHECK_FALSE(status.contains("agent_id"));
}

TEST_CASE("the other events") {
    World world;
    CHECK(world.print(Failed{HostId("H")}) ==
          json::parse(R"({"type":"FAILURE","failure":{"agent_id":{"value":"H"}}})"));
    CHECK(world.print(ErrorEvent{"Framework failed over"}) ==
          json::parse(R"({"type":"ERROR","error":{"message":"Framework failed over"}})"));
    CHECK(
        world.print(OperationStatus{"op", "OPERATION_DROPPED", "why"})["update_operation_status"] ==
        json::parse(
            R"({"status":{"operation_id":{"value":"op"},"state":"OPERATION_DROPPED","message":"why"}})"));
    CHECK(print_heartbeat() == R"({"type":"HEARTBEAT"})");
    const MasterInfo nobody;
    CHECK(print_event(Event(StreamNumber(1), Closed()), {world.cluster, nobody, 5s}).empty());
}

TEST_CASE("FrameworkInfo is printed with the role or the roles that it came with") {
    FrameworkInfo info;
    info.id = FrameworkId("F");
    info.name = "n";
    info.user = "u";
    info.roles = {"ads"};
    info.failover_timeout = 90s;
    info.labels = {{"k", "v"}, {"bare", std::nullopt}};
    CHECK(json_of(info) == json::parse(R"({"id":{"value":"F"},"name":"n","user":"u","role":"ads",
        "failover_timeout":90.0,"checkpoint":false,
        "labels":{"labels":[{"key":"k","value":"v"},{"key":"bare"}]}})"));
    info.capabilities = {"MULTI_ROLE"};
    CHECK(json_of(info)["roles"] == json::parse(R"(["ads"])"));
    CHECK_FALSE(json_of(info).contains("role"));
}

TEST_CASE("base64 goes both ways and refuses what is none") {
    for (const std::string text : {"", "a", "ab", "abc", "abcd", "\xff\xfe\xfd"}) {
        CHECK(base64_decode(base64_encode(text)) == text);
    }
    CHECK(base64_encode("hi") == "aGk=");
    for (const auto* text :
         {"a", "ab", "abc", "====", "a===", "ab=c", "ab==cd==", "a\nbc", "ab-_"}) {
        CHECK_FALSE(base64_decode(text));
    }
}
