// What a running host says anew of itself: resources, ports, attributes and role, after its
// operator changed its configuration. What runs there goes on; only what comes next is judged by
// it.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

using namespace methos;
using methos::test::HeartLab;

namespace {

void change(HeartLab& lab, const HostInfo& info) {
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().host_changed(lab.session(info.hostname), info, step);
    });
}

} // namespace

SCENARIO("a host that gets smaller than what runs on it keeps that, and gets no more") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 10))); // one cpu in all
    lab.run_all();
    auto info = HeartLab::host_info("a");
    info.resources.scalars.milli_cpus = 500;
    info.resources.ports = PortSet(PortRange{20000, 20099});
    change(lab, info);
    REQUIRE(lab.count(TaskState::Running) == 10);
    REQUIRE(lab.put(HeartLab::app("/more", 1)));
    REQUIRE(lab.count(TaskState::Staging) == 0);

    WHEN("it is as large as before, what waits is placed at once") {
        change(lab, HeartLab::host_info("a"));
        REQUIRE(lab.count(TaskState::Staging) == 1);
    }
    WHEN("the master is killed meanwhile, it knows the smaller host") {
        lab.kill_and_restart();
        const auto& host = lab.cluster().hosts().begin()->second;
        REQUIRE(host.info.resources == info.resources);
        REQUIRE(lab.cluster().tasks().size() == 10);
    }
    WHEN("what runs there ends, new tasks get the new ports") {
        lab.remove("/demo");
        lab.end_all_killed();
        const auto staged = lab.tasks_in(TaskState::Staging);
        REQUIRE(staged.size() == 1);
        REQUIRE(staged.front().host_ports.size() == 1);
        REQUIRE(info.resources.ports.contains(staged.front().host_ports.front()));
    }
}

SCENARIO("a host's attributes and role are followed while it runs") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/ssd", 1, R"("constraints":[["disk","IS","ssd"]])")));
    REQUIRE(lab.put(HeartLab::app("/web", 1, R"("acceptedResourceRoles":["web"])")));
    REQUIRE(lab.count(TaskState::Staging) == 0);
    auto info = HeartLab::host_info("a");
    info.attributes["disk"] = "ssd";
    change(lab, info);
    REQUIRE(lab.count(TaskState::Staging) == 1);
    info.role = "web";
    change(lab, info);
    REQUIRE(lab.count(TaskState::Staging) == 2);
    REQUIRE(lab.put(HeartLab::app("/unreserved", 1)));
    REQUIRE(lab.count(TaskState::Staging) == 2);
}
