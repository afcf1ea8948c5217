// What a running host says anew of itself: resources, ports, attributes and role, after its
// operator changed its configuration. What runs there goes on; only what comes next is judged by
// it.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"
#include "tests/support/offer_taker.hpp"

using namespace methos;
using methos::test::HeartLab;
using methos::test::OfferTaker;

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

SCENARIO("a host whose executor tells of trouble keeps what it has and gets nothing new") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 2)));
    lab.run_all();
    REQUIRE(lab.put(HeartLab::app("/late", 1)));
    const auto late = lab.tasks_in(TaskState::Staging).front();
    lab.cluster().add_framework(f, OfferTaker::classic());
    lab.decide();
    REQUIRE(f.offers.size() == 1);
    auto info = HeartLab::host_info("a");
    info.trouble = "Docker's disk is nearly full";
    change(lab, info);
    REQUIRE(f.rescinded == 1);
    const auto& host = *lab.cluster().find_host(info.id);
    REQUIRE(shown_state(host) == "UP");

    WHEN("it refuses what was on its way, that goes elsewhere at once") {
        lab.cluster().remove_framework("f"); // it would take all of the other host's offer
        lab.report(late, TaskState::Dropped);
        REQUIRE(lab.count(TaskState::Staging) == 0);
        REQUIRE(lab.count(TaskState::Running) == 2);
        lab.join("b");
        REQUIRE(lab.spread(TaskState::Staging) == std::map<std::string, std::size_t>{{"b", 1}});
    }
    WHEN("the trouble is over, it is offered again") {
        change(lab, HeartLab::host_info("a"));
        REQUIRE(f.offers.size() == 1);
    }
    WHEN("it joins anew with its trouble, it still gets nothing") {
        lab.close("a");
        lab.cluster().remove_framework("f");
        lab.join(info, {HeartLab::status(late, TaskState::Dropped)});
        REQUIRE(lab.count(TaskState::Staging) == 0);
    }
    lab.cluster().remove_framework("f");
}
