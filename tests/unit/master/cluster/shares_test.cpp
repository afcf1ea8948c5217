// Dominant shares: who is owed most, with weights, limits and turns; and which hosts a client has
// declined.
#include "master/cluster/offer_filters.hpp"
#include "master/cluster/shares.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::cluster;
using namespace std::chrono_literals;

namespace {

Shares cluster_of(std::int64_t milli_cpus, std::int64_t mem_bytes) {
    Shares shares;
    shares.set_total(Resources{milli_cpus, mem_bytes, 0, 0});
    return shares;
}

/// Lets the open clients take `piece` each in turn, and counts who got how many.
std::map<Shares::Client, int>
deal(Shares& shares, int turns, const std::map<Shares::Client, Resources>& pieces) {
    std::map<Shares::Client, int> got;
    for (int turn = 0; turn < turns; ++turn) {
        const auto client = shares.next();
        REQUIRE(client);
        shares.charge(*client, pieces.at(*client));
        ++got[*client];
    }
    return got;
}

} // namespace

TEST_CASE("the example of the DRF paper: 9 cpus, 18 GB; A takes <1, 4>, B takes <3, 1>") {
    auto shares = cluster_of(9'000, 18);
    const auto a = shares.client_of("a", "*");
    const auto b = shares.client_of("b", "*");
    shares.open(a);
    shares.open(b);
    const auto got = deal(shares, 5, {{a, {1'000, 4, 0, 0}}, {b, {3'000, 1, 0, 0}}});
    CHECK(got.at(a) == 3); // two thirds of the memory
    CHECK(got.at(b) == 2); // two thirds of the cpus
}

TEST_CASE("a role of weight 3 is owed three times as much, whoever is in it") {
    auto shares = cluster_of(40'000, 0);
    RoleSettings heavy;
    heavy.weight = 3;
    shares.set_role("prod", heavy);
    const auto a = shares.client_of("a", "prod");
    const auto b = shares.client_of("b", "prod");
    const auto c = shares.client_of("c", "dev");
    for (const auto client : {a, b, c}) {
        shares.open(client);
    }
    const Resources cpu{1'000, 0, 0, 0};
    const auto got = deal(shares, 40, {{a, cpu}, {b, cpu}, {c, cpu}});
    CHECK(got.at(a) == 15);
    CHECK(got.at(b) == 15);
    CHECK(got.at(c) == 10);
}

TEST_CASE("of equals, the one that was charged longest ago is next, also when nothing is kept") {
    auto shares = cluster_of(1'000, 0);
    std::vector<Shares::Client> order;
    for (const auto* name : {"a", "b", "c"}) {
        shares.open(shares.client_of(name, "*"));
    }
    for (int turn = 0; turn < 6; ++turn) {
        const auto client = *shares.next();
        order.push_back(client);
        shares.charge(client, {100, 0, 0, 0});
        shares.refund(client, {100, 0, 0, 0});
    }
    CHECK(order == std::vector<Shares::Client>{0, 1, 2, 0, 1, 2});
}

TEST_CASE("closed clients have no turn; a change of the total keeps the order true") {
    auto shares = cluster_of(1'000, 1'000);
    const auto cpus = shares.client_of("cpus", "*");
    const auto mem = shares.client_of("mem", "*");
    shares.open(cpus);
    shares.open(mem);
    shares.charge(cpus, {500, 0, 0, 0});
    shares.charge(mem, {0, 400, 0, 0});
    CHECK(shares.next() == mem);
    CHECK(shares.others_wait(cpus));
    shares.set_total({5'000, 500, 0, 0}); // now 10 % of the cpus against 80 % of the memory
    CHECK(shares.next() == cpus);
    shares.close(cpus);
    CHECK(shares.next() == mem);
    CHECK_FALSE(shares.others_wait(mem));
    shares.close(mem);
    CHECK_FALSE(shares.next());
}

TEST_CASE("the headroom of a role is its limit less what its clients have together") {
    auto shares = cluster_of(10'000, 10'000);
    RoleSettings limited;
    limited.milli_cpus_max = 3'000;
    shares.set_role("dev", limited);
    shares.charge(shares.client_of("a", "dev"), {1'000, 10, 0, 0});
    shares.charge(shares.client_of("b", "dev"), {1'500, 10, 0, 0});
    CHECK(shares.headroom("dev").contains({500, 9'000, 0, 0}));
    CHECK_FALSE(shares.headroom("dev").contains({501, 0, 0, 0}));
    CHECK(shares.headroom("*").contains({1'000'000, 0, 0, 0}));
}

TEST_CASE("a client that is forgotten leaves its number and its role to others") {
    auto shares = cluster_of(10'000, 10'000);
    shares.set_role("set", RoleSettings());
    const auto kept = shares.client_of("a", "dev");
    for (int i = 0; i < 1'000; ++i) {
        const auto name = std::to_string(i);
        const auto one = shares.client_of("b" + name, "dev");
        const auto other = shares.client_of("b" + name, "role" + name);
        const auto third = shares.client_of("b" + name, "set");
        for (const auto client : {one, other, third}) {
            REQUIRE(client <= 3);
            REQUIRE(shares.charged(client) == Resources());
            shares.charge(client, {1'000, 10, 0, 0});
            shares.open(client);
            shares.refund(client, {1'000, 10, 0, 0});
            shares.forget(client);
        }
        REQUIRE_FALSE(shares.find("b" + name, "dev"));
        REQUIRE_FALSE(shares.next());
    }
    CHECK(shares.clients() == std::vector<Shares::Client>{kept});
    CHECK(shares.roles() == std::vector<std::string>{"dev", "set"});
}

TEST_CASE("a set of hosts is walked round, without those in another") {
    SlotSet hosts;
    SlotSet declined;
    for (const auto slot : {3U, 64U, 130U}) {
        hosts.insert(slot);
    }
    CHECK(hosts.next(0, declined) == 3);
    CHECK(hosts.next(4, declined) == 64);
    CHECK(hosts.next(131, declined) == 3);
    CHECK(hosts.next(100'000, declined) == 3);
    declined.insert(64);
    CHECK(hosts.next(4, declined) == 130);
    declined.insert(130);
    declined.insert(3);
    CHECK_FALSE(hosts.next(4, declined));
    declined.erase(3);
    CHECK(hosts.next(4, declined) == 3);
}

TEST_CASE(
    "a filter holds until its time, until REVIVE, or until the host has more than was declined") {
    const MonoTime start(1h);
    OfferFilters filters;
    filters.add(0, 7, start + 5s, {2'000, 100, 0, 0});
    filters.add(1, 7, start + 60s, {2'000, 100, 0, 0});
    filters.host_has(7, {1'000, 100, 0, 0});
    CHECK(filters.of(0).contains(7));
    SECTION("time") {
        CHECK_FALSE(filters.expire(start + 4s));
        CHECK(filters.expire(start + 5s));
        CHECK_FALSE(filters.of(0).contains(7));
        CHECK(filters.of(1).contains(7));
    }
    SECTION("revive") {
        CHECK(filters.clear_client(1));
        CHECK_FALSE(filters.clear_client(5));
        CHECK_FALSE(filters.of(1).contains(7));
        CHECK(filters.of(0).contains(7));
    }
    SECTION("growth") {
        filters.host_has(7, {2'001, 100, 0, 0});
        CHECK_FALSE(filters.of(0).contains(7));
        CHECK_FALSE(filters.of(1).contains(7));
    }
    SECTION("growth beyond what somebody else declined") {
        filters.add(2, 7, start + 60s, {500, 50, 0, 0});
        filters.host_has(7, {2'000, 100, 0, 0});
        CHECK_FALSE(filters.of(2).contains(7));
        CHECK(filters.of(0).contains(7));
        CHECK(filters.of(1).contains(7));
    }
    SECTION("less was declined since") {
        filters.add(0, 7, start + 60s, {500, 50, 0, 0});
        filters.host_has(7, {501, 50, 0, 0});
        CHECK_FALSE(filters.of(0).contains(7));
        CHECK(filters.of(1).contains(7));
    }
    SECTION("growth beyond more amounts than are told apart") {
        for (std::uint32_t client = 2; client < 100; ++client) {
            filters.add(client, 7, start + 60s, {2'000 + client, 100, 0, 0});
        }
        filters.host_has(7, {2'000, 100, 0, 0});
        CHECK(filters.of(99).contains(7));
        filters.host_has(7, {3'000, 100, 0, 0});
        for (std::uint32_t client = 0; client < 100; ++client) {
            REQUIRE_FALSE(filters.of(client).contains(7));
        }
    }
    SECTION("the slot is another host's") {
        filters.forget_host(7);
        CHECK_FALSE(filters.of(0).contains(7));
        filters.add(1, 7, start + 60s, {100, 100, 0, 0});
        filters.host_has(7, {100, 100, 0, 0});
        CHECK(filters.of(1).contains(7));
    }
    SECTION("a longer filter on top") {
        filters.add(0, 7, start + 50s, {2'000, 100, 0, 0});
        CHECK_FALSE(filters.expire(start + 10s));
        CHECK(filters.of(0).contains(7));
    }
}
