// Classic offers on the pure heart: who is offered what, what becomes of an offer, and that held
// offers neither overlap nor starve anybody. HeartLab checks the cluster's invariants at each step.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"
#include "tests/support/offer_taker.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;
using methos::test::OfferTaker;

namespace {

struct Held {
    HostNumber host;
    std::vector<OfferNumber> offers;
};

/// Lets a framework subscribe and be offered what there is.
void subscribe(HeartLab& lab,
               OfferTaker& taker,
               cluster::FrameworkTerms terms = OfferTaker::classic()) {
    lab.cluster().add_framework(taker, std::move(terms));
    lab.decide();
}

void decline_all(HeartLab& lab, OfferTaker& taker, Duration refuse) {
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        const auto held = std::exchange(taker.offers, {});
        for (const auto& [number, offer] : held) {
            REQUIRE(heart.cluster().decline(taker.name(), number, refuse, step));
        }
    });
}

cluster::Launching launching(HeartLab& lab,
                             const std::string& name,
                             Resources need,
                             std::vector<std::uint16_t> ports = {}) {
    cluster::Launching launching;
    launching.name = TaskName(name);
    launching.host_ports = ports;
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        TaskSpec spec;
        spec.framework = "f";
        spec.image = "busybox";
        spec.resources = need;
        for (const auto port : ports) {
            spec.ports.push_back({port, "tcp", ""});
        }
        launching.spec = heart.cluster().find_spec(heart.cluster().add_spec(spec, step));
    });
    return launching;
}

} // namespace

SCENARIO("every host is offered once, whole, to the one who is owed most") {
    HeartLab lab;
    OfferTaker a("a");
    OfferTaker b("b");
    lab.cluster().add_framework(a, OfferTaker::classic());
    lab.cluster().add_framework(b, OfferTaker::classic());
    for (const auto* name : {"h1", "h2", "h3", "h4"}) {
        lab.join(name);
    }
    REQUIRE(a.offers.size() == 2);
    REQUIRE(b.offers.size() == 2);
    std::set<HostNumber> hosts;
    for (const auto* taker : {&a, &b}) {
        for (const auto& [number, offer] : taker->offers) {
            REQUIRE(hosts.insert(offer.host).second);
            REQUIRE(offer.resources.milli_cpus == 4000);
            REQUIRE(offer.ports.count() == 100);
        }
    }
    WHEN("one declines for long") {
        decline_all(lab, a, 1h);
        THEN("the other is offered them") {
            REQUIRE(a.offers.empty());
            REQUIRE(b.offers.size() == 4);
        }
        AND_WHEN("the other declines, too") {
            decline_all(lab, b, 1h);
            THEN("each is offered what it has not declined, then nothing") {
                REQUIRE(a.offers.size() == 2);
                decline_all(lab, a, 1h);
                REQUIRE(a.offers.empty());
                REQUIRE(b.offers.empty());
                const auto before = a.offered + b.offered;
                lab.live(30s);
                REQUIRE(a.offered + b.offered == before);
                AND_THEN("REVIVE brings all of them back") {
                    lab.cluster().revive("b", {});
                    lab.decide();
                    REQUIRE(b.offers.size() == 4);
                }
            }
        }
    }
    WHEN("one declines for five seconds, and nobody else wants it") {
        lab.cluster().set_active("b", false);
        lab.decide();
        decline_all(lab, a, 5s);
        REQUIRE(a.offers.empty());
        lab.live(6s);
        THEN("it is asked again") {
            REQUIRE(a.offers.size() == 4);
        }
    }
}

SCENARIO("an offer is accepted, in part, and the rest is free again") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("h1");
    subscribe(lab, f);
    REQUIRE(f.offers.size() == 1);
    const auto number = f.offers.begin()->first;
    auto first = launching(lab, "t1", {1000, 64 * bytes_per_mb, 0, 0}, {31005});
    auto second = launching(lab, "t2", {1000, 64 * bytes_per_mb, 0, 0}, {31005});
    auto large = launching(lab, "t3", {3001, 64 * bytes_per_mb, 0, 0});
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        auto& cluster = heart.cluster();
        const auto claim = cluster.claim("f", {number}, step.now);
        REQUIRE(claim);
        REQUIRE_FALSE(cluster.claim("f", {number}, step.now));
        REQUIRE(cluster.launch(*claim, first, step));
        THEN("a taken port, a taken name and more than is left are refused") {
            REQUIRE(cluster.launch(*claim, second, step).error().code == Code::InvalidInput);
            REQUIRE(cluster.launch(*claim, large, step).error().code == Code::InvalidInput);
            auto again = launching(lab, "x", {10, 0, 0, 0});
            again.name = TaskName("t1");
            REQUIRE(cluster.launch(*claim, again, step).error().code == Code::Conflict);
        }
        cluster.release(*claim, 0s, step.now);
        REQUIRE(cluster.find_claim(*claim) == nullptr);
        REQUIRE(cluster.launch(*claim, second, step).error().code == Code::Unavailable);
    });
    f.offers.erase(number);
    lab.decide();
    REQUIRE(f.tasks.size() == 1);
    REQUIRE(lab.take_sent<cluster::SendLaunch>().size() == 1);
    const auto rest = std::find_if(f.offers.begin(), f.offers.end(), [](const auto& entry) {
        return entry.second.resources.milli_cpus == 3000;
    });
    REQUIRE(rest != f.offers.end());
    REQUIRE_FALSE(rest->second.ports.contains(31005));
    WHEN("the task ends") {
        lab.report(*lab.cluster().find_task(TaskName("t1")), TaskState::Finished);
        THEN("its share is its framework's no more, and its resources are offered") {
            REQUIRE(f.states.at(f.tasks.front()) == TaskState::Finished);
            REQUIRE(lab.cluster().hosts().begin()->second.used == Resources());
            REQUIRE(f.offers.size() == 2);
        }
    }
}

SCENARIO("offers that are not the framework's, not of one host, or over are refused") {
    HeartLab lab;
    OfferTaker a("a");
    OfferTaker b("b");
    lab.cluster().add_framework(a, OfferTaker::classic());
    lab.cluster().add_framework(b, OfferTaker::classic());
    for (const auto* name : {"h1", "h2", "h3"}) {
        lab.join(name);
    }
    auto& two = a.offers.size() == 2 ? a : b;
    auto& one = a.offers.size() == 2 ? b : a;
    const auto mine = two.offers.begin()->first;
    const auto other_host = std::next(two.offers.begin())->first;
    const auto theirs = one.offers.begin()->first;
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        auto& cluster = heart.cluster();
        REQUIRE_FALSE(cluster.claim(two.name(), {}, step.now));
        REQUIRE_FALSE(cluster.claim(two.name(), {theirs}, step.now));
        REQUIRE(cluster.offers().contains(theirs));
        REQUIRE_FALSE(cluster.claim(two.name(), {OfferNumber(999)}, step.now));
        REQUIRE_FALSE(cluster.claim(two.name(), {mine, other_host}, step.now));
        // What was good of the refused acceptance is declined with it.
        REQUIRE_FALSE(cluster.offers().contains(mine));
        REQUIRE_FALSE(cluster.decline(two.name(), mine, 5s, step));
    });
}

SCENARIO("what one declines for long is no matter of what another leaves over of it") {
    HeartLab lab;
    OfferTaker a("a");
    OfferTaker f("f");
    lab.join("h1");
    subscribe(lab, a);
    decline_all(lab, a, 1h);
    subscribe(lab, f);
    REQUIRE(f.offers.size() == 1);
    const auto number = f.offers.begin()->first;
    const auto most = launching(lab, "t1", {3000, 64 * bytes_per_mb, 0, 0});
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        const auto claim = heart.cluster().claim("f", {number}, step.now);
        REQUIRE(claim);
        REQUIRE(heart.cluster().launch(*claim, most, step));
        heart.cluster().release(*claim, 1h, step.now);
    });
    f.offers.clear();
    lab.report(lab.tasks_in(TaskState::Staging).at(0), TaskState::Finished);
    lab.live(2s);
    REQUIRE(a.offers.empty()); // it has seen the whole host, and did not want it
    REQUIRE(f.offers.size() == 1);
    REQUIRE(f.offers.begin()->second.resources.milli_cpus == 4000);
}

SCENARIO("nothing is remembered of frameworks that are gone and of roles that were left") {
    HeartLab lab;
    lab.join("h1");
    OfferTaker stays("stays");
    subscribe(lab, stays);
    decline_all(lab, stays, 1h);
    OfferTaker f("f");
    subscribe(lab, f, OfferTaker::classic({"left"}));
    REQUIRE(f.offers.size() == 1);
    const auto number = f.offers.begin()->first;
    const auto small = launching(lab, "t1", {100, 64 * bytes_per_mb, 0, 0});
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        const auto claim = heart.cluster().claim("f", {number}, step.now);
        REQUIRE(claim);
        REQUIRE(heart.cluster().launch(*claim, small, step));
        heart.cluster().release(*claim, 1h, step.now);
        heart.cluster().set_terms("f", OfferTaker::classic({"next"}), step);
    });
    f.offers.clear();
    for (int i = 0; i < 20; ++i) {
        OfferTaker passing("passing" + std::to_string(i));
        subscribe(lab, passing, OfferTaker::classic({"*", "role" + std::to_string(i)}));
        lab.cluster().remove_framework(passing.name());
    }
    lab.live(10s);
    const auto& shares = lab.cluster().shares();
    REQUIRE(shares.charged_to_role("left").milli_cpus == 100);
    REQUIRE(shares.roles() == std::vector<std::string>{"*", "left", "next"});
    REQUIRE(stays.offers.empty()); // what it declined is still its word
    lab.report(lab.tasks_in(TaskState::Staging).at(0), TaskState::Finished);
    lab.live(10s);
    REQUIRE(shares.roles() == std::vector<std::string>{"*", "next"});
    REQUIRE(shares.clients().size() == 2);
}

SCENARIO("a framework that holds its offers starves nobody") {
    HeartLab lab;
    OfferTaker hoarder("hoarder");
    lab.join("h1");
    lab.join("h2");
    subscribe(lab, hoarder);
    REQUIRE(hoarder.offers.size() == 2);
    WHEN("an app wants instances at once") {
        REQUIRE(lab.put(HeartLab::app("/web", 3)));
        THEN("they run as soon as the offers have been its for a second, and no later") {
            REQUIRE(lab.cluster().tasks().empty());
            lab.live(1500ms);
            REQUIRE(lab.count(TaskState::Staging) == 3);
            REQUIRE(hoarder.rescinded >= 1);
        }
    }
    WHEN("nobody wants anything") {
        lab.live(29s);
        REQUIRE(hoarder.rescinded == 0);
        lab.live(2s);
        THEN("the offers time out, and come back a little later") {
            REQUIRE(hoarder.rescinded == 2);
            REQUIRE(hoarder.offers.empty());
            lab.live(6s);
            REQUIRE(hoarder.offers.size() == 2);
        }
    }
}

SCENARIO("a lost host takes its offers with it") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("h1");
    lab.join("h2");
    subscribe(lab, f);
    REQUIRE(f.offers.size() == 2);
    lab.cut("h1");
    lab.live(3s);
    REQUIRE(f.offers.size() == 1);
    REQUIRE(f.rescinded == 1);
    REQUIRE(f.lost.size() == 1);
    WHEN("an acceptance for the other was on its way when its executor died") {
        const auto number = f.offers.begin()->first;
        const auto request = launching(lab, "t1", {100, 0, 0, 0});
        lab.close("h2");
        THEN("it is refused") {
            REQUIRE(f.offers.empty());
            REQUIRE_FALSE(lab.cluster().claim("f", {number}, lab.now()));
        }
    }
}

SCENARIO("a host that says nothing new of itself keeps its offers, and their ports are theirs") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("h1");
    subscribe(lab, f);
    REQUIRE(f.offers.size() == 1);
    lab.step([&](heart::Heart& heart, cluster::Step& step) { // the lab checks that no port is free
        heart.cluster().host_changed(lab.session("h1"), HeartLab::host_info("h1"), step);
    });
    REQUIRE(f.offers.size() == 1);
    REQUIRE(f.rescinded == 0);
}

SCENARIO("of a host that got smaller than what runs on it nothing negative is offered") {
    HeartLab lab;
    lab.join("h1");
    REQUIRE(lab.put(HeartLab::app("/web", 20))); // two cpus
    lab.run_all();
    auto info = HeartLab::host_info("h1");
    info.resources.scalars.milli_cpus = 1000;
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().host_changed(lab.session("h1"), info, step);
    });
    OfferTaker f("f");
    subscribe(lab, f);
    REQUIRE(f.offers.size() == 1);
    const auto offer = f.offers.begin()->second;
    REQUIRE(offer.resources.milli_cpus == 0);
    REQUIRE(offer.resources.mem_bytes > 0);
    const auto small = launching(lab, "t1", {0, 64 * bytes_per_mb, 0, 0});
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        const auto claim = heart.cluster().claim("f", {offer.number}, step.now);
        REQUIRE(claim);
        REQUIRE(heart.cluster().launch(*claim, small, step));
        heart.cluster().release(*claim, 0s, step.now);
    });
    f.offers.clear();
    REQUIRE(f.tasks.size() == 1);
}

SCENARIO("suppressed roles and inactive frameworks are offered nothing") {
    HeartLab lab;
    OfferTaker f("f");
    auto terms = OfferTaker::classic({"a", "b"});
    terms.suppressed = {"a", "b"};
    subscribe(lab, f, terms);
    lab.join("h1");
    REQUIRE(f.offers.empty());
    const auto change = [&](cluster::FrameworkTerms next) {
        lab.step([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().set_terms("f", next, step);
        });
    };
    terms.suppressed = {"a"};
    change(terms);
    REQUIRE(f.offers.size() == 1);
    REQUIRE(f.offers.begin()->second.role == "b");
    WHEN("it leaves the role") {
        change(OfferTaker::classic({"a"}));
        THEN("the offer is rescinded and made for the other one") {
            REQUIRE(f.rescinded == 1);
            REQUIRE(f.offers.size() == 1);
            REQUIRE(f.offers.begin()->second.role == "a");
        }
    }
    WHEN("it goes away") {
        lab.cluster().set_active("f", false);
        lab.decide();
        THEN("its offers are free, and it is not told") {
            REQUIRE(f.rescinded == 0);
            REQUIRE(lab.cluster().offers().empty());
        }
    }
}

SCENARIO("what is too small for anybody is not offered") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("h1");
    REQUIRE(lab.put(R"({"id":"/all","cpus":3.995,"mem":8170,"cmd":"x",
                        "container":{"type":"DOCKER","docker":{"image":"busybox"}}})"));
    REQUIRE(lab.count(TaskState::Staging) == 1);
    subscribe(lab, f);
    REQUIRE(f.offers.empty());
}
