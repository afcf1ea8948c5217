// The arguments of `methos run` and `methos logs` become the request that the master gets, and
// wrong ones a message that shows a right one. Also the names people use.
#include "cli/client/names.hpp"
#include "cli/commands/logs.hpp"
#include "cli/commands/run.hpp"
#include "cli/program.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace methos;
using namespace methos::cli;
using nlohmann::json;

namespace {

RunOptions image(const std::string& name) {
    RunOptions options;
    options.image = name;
    return options;
}

std::string error_of(const RunOptions& options) {
    const auto app = plan_run(options);
    REQUIRE(app.has_error());
    CHECK(app.error().code == Code::InvalidInput);
    return app.error().message;
}

} // namespace

TEST_CASE("an image alone becomes a small service on the host network", "[cli]") {
    CHECK(plan_run(image("nginx:1.25")).value() ==
          json({{"id", "/nginx"},
                {"instances", 1},
                {"cpus", 0.1},
                {"mem", 128.0},
                {"container", {{"type", "DOCKER"}, {"docker", {{"image", "nginx:1.25"}}}}},
                {"networks", json::array({{{"mode", "host"}}})}}));
}

TEST_CASE("ports ask for the bridge network", "[cli]") {
    auto options = image("nginx");
    options.ports = {"80", "8080:80", "5353:53/udp"};
    const auto app = plan_run(options).value();
    CHECK(app.at("networks").at(0).at("mode") == "container/bridge");
    CHECK(app.at("container").at("portMappings") ==
          json::parse(R"([{"containerPort":80,"hostPort":0,"protocol":"tcp"},
                          {"containerPort":80,"hostPort":8080,"protocol":"tcp"},
                          {"containerPort":53,"hostPort":5353,"protocol":"udp"}])"));
}

TEST_CASE("everything that run can say arrives", "[cli]") {
    auto options = image("busybox");
    options.name = "shop/cart";
    options.instances = 3;
    options.env = {"A=1", "B=x=y", "C="};
    options.labels = {"tier=web"};
    options.cpus = 0.5;
    options.mem_mb = 64;
    options.network = "bridge";
    options.args = {"httpd", "-f"};
    const auto app = plan_run(options).value();
    CHECK(app.at("id") == "/shop/cart");
    CHECK(app.at("instances") == 3);
    CHECK(app.at("env") == json({{"A", "1"}, {"B", "x=y"}, {"C", ""}}));
    CHECK(app.at("labels") == json({{"tier", "web"}}));
    CHECK(app.at("cpus") == 0.5);
    CHECK(app.at("mem") == 64);
    CHECK(app.at("args") == json({"httpd", "-f"}));
    CHECK(app.at("container").at("portMappings") == json::array());
    CHECK_FALSE(app.contains("cmd"));
    options.args.clear();
    options.command = "httpd -f";
    CHECK(plan_run(options).value().at("cmd") == "httpd -f");
}

TEST_CASE("a wrong argument is answered with a right one", "[cli]") {
    const auto bad_port = GENERATE("",
                                   "0",
                                   "x",
                                   "70000",
                                   "80:",
                                   ":80",
                                   "0:80",
                                   "1:2:3",
                                   "80/sctp",
                                   "80/",
                                   "-1",
                                   "127.0.0.1:80:80",
                                   "8000-8010");
    auto options = image("nginx");
    options.ports = {bad_port};
    CHECK(error_of(options).find("8080:80") != std::string::npos);
}

TEST_CASE("options that contradict each other are refused", "[cli]") {
    auto options = image("nginx");
    SECTION("env") {
        options.env = {"NOVALUE"};
        CHECK(error_of(options).find("NAME=VALUE") != std::string::npos);
        options.env = {"=x"};
        CHECK(error_of(options).find("NAME=VALUE") != std::string::npos);
    }
    SECTION("cmd and args") {
        options.command = "x";
        options.args = {"y"};
        CHECK(error_of(options).find("--cmd") != std::string::npos);
    }
    SECTION("ports on the host network") {
        options.network = "host";
        options.ports = {"80"};
        CHECK(error_of(options).find("$PORT0") != std::string::npos);
    }
    SECTION("names") {
        options.name = "/Shop";
        CHECK(error_of(options).find("small letters") != std::string::npos);
    }
    SECTION("no image") {
        for (const auto* wrong : {"", "a b", "UPPER:case", "../etc", "nginx:", "a@sha256:1"}) {
            options.image = wrong;
            CHECK(error_of(options).find("like nginx:1.25") != std::string::npos);
        }
    }
    SECTION("jobs") {
        options.one_off = true;
        CHECK(plan_run(options).error().code == Code::Unimplemented);
    }
}

TEST_CASE("a service is named after its image", "[cli]") {
    CHECK(app_id_of_image("nginx") == "/nginx");
    CHECK(app_id_of_image("docker.io/library/nginx:1.25") == "/nginx");
    CHECK(app_id_of_image("localhost:5000/team/My_App:1@sha256:abc") == "/my-app");
    CHECK(app_id_of_image("registry.internal/demo") == "/demo");
    CHECK(app_id_of_image("a__b-") == "/a-b");
    CHECK(app_id_of_image(":::").empty());
}

TEST_CASE("apps and tasks are told apart and named as the API does", "[cli]") {
    CHECK(absolute_app_id("demo") == "/demo");
    CHECK(absolute_app_id("//grp//app/") == "/grp/app");
    CHECK(absolute_app_id("") == "/");
    CHECK(app_argument("grp/app").value() == "/grp/app");
    CHECK(app_argument("//").error().code == Code::InvalidInput);
    CHECK(url_path_of("/grp/app") == "grp/app");
    CHECK(url_path_of("/a b?c#d%e") == "a%20b%3Fc%23d%25e");
    CHECK(is_app_id("/a/b-1.c"));
    for (const auto* wrong : {"", "/", "a", "/A", "/-a", "/a-", "/a//b", "/a-/b", "/a_b", "/a/"}) {
        INFO(wrong);
        CHECK_FALSE(is_app_id(wrong));
    }
    const std::string task = "grp_app.instance-b6ff3a54-1111-2222-3333-444455556666._app.1";
    CHECK(is_task_id(task));
    CHECK_FALSE(is_task_id("instance-b6ff"));
    CHECK_FALSE(is_task_id("/demo"));
    CHECK(short_task_name(task) == "b6ff3a54");
    CHECK(short_task_name("demo.1") == "demo.1");
}

TEST_CASE("a misspelt app finds its neighbours", "[cli]") {
    const std::vector<std::string> known = {"/demo", "/shop/cart", "/shop/cart-2", "/zzz"};
    CHECK(similar_names("/dmeo", known) == std::vector<std::string>{"/demo"});
    CHECK(similar_names("/cart", known) == std::vector<std::string>{"/shop/cart", "/shop/cart-2"});
    CHECK(similar_names("/elephant", known).empty());
}

TEST_CASE("a host is an id, a unique prefix of one, or a unique hostname", "[cli]") {
    const std::vector<HostName> hosts = {
        {"aaaa1", "node1"}, {"aabb2", "node2"}, {"cccc3", "node2"}};
    CHECK(find_host("aaaa1", hosts).value() == 0);
    CHECK(find_host("aab", hosts).value() == 1);
    CHECK(find_host("node1", hosts).value() == 0);
    CHECK(find_host("node2", hosts).error().code == Code::InvalidInput);
    CHECK(find_host("aa", hosts).error().message.find("node1 (aaaa1)") != std::string::npos);
    CHECK(find_host("aab", {{"aaba1", "node1"}, {"cccc1", "aab"}}).value() == 1);
    CHECK(find_host("x", hosts).error().code == Code::NotFound);
    CHECK(find_host("", hosts).error().code == Code::NotFound);
    CHECK(find_host("x", {}).error().message.find("no host has joined") != std::string::npos);
}

TEST_CASE("what logs asks for", "[cli]") {
    LogsOptions options;
    options.name = "/demo";
    CHECK(plan_logs(options).value() == "/methos/v1/logs/demo");
    options.follow = true;
    options.tail = 0;
    options.since = "10m";
    options.timestamps = true;
    options.previous = true;
    CHECK(plan_logs(options).value() ==
          "/methos/v1/logs/demo?follow=true&tail=0&since=10m&timestamps=true&previous=true");
    options.since = "2026-01-31T12:00:00Z";
    CHECK(plan_logs(options).value().find("since=2026-01-31T12%3A00%3A00Z") != std::string::npos);
    options.since = "yesterday";
    CHECK(plan_logs(options).error().code == Code::InvalidInput);
}

TEST_CASE("every kind of failure has the exit code of the contract", "[cli]") {
    CHECK(exit_code_of(Code::InvalidInput) == 2);
    CHECK(exit_code_of(Code::Unimplemented) == 2);
    CHECK(exit_code_of(Code::NotFound) == 4);
    CHECK(exit_code_of(Code::Unauthorized) == 5);
    CHECK(exit_code_of(Code::Forbidden) == 5);
    CHECK(exit_code_of(Code::Unavailable) == 5);
    CHECK(exit_code_of(Code::Timeout) == 124);
    CHECK(exit_code_of(Code::Conflict) == 1);
    CHECK(exit_code_of(Code::Internal) == 1);
    CHECK(exit_code_of(Code::Protocol) == 1);
    CHECK(exit_code_of(Code::Cancelled) == 130);
}
