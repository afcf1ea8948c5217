// Who must keep the contract: the Engine that is given (a real dockerd in suite docker), and the
// fake one (suite component) in its variants, so that the fake cannot drift. What each dockerd says
// in its own words is compared by what the client makes of it.
#include "tests/component/docker/bench.hpp"
#include "tests/component/docker/contract.hpp"
#include "tests/support/catch.hpp"

#include <vector>

namespace methos::test {

namespace {

using Kind = EngineBench::Kind;

std::vector<contract::Clause> all_clauses() {
    std::vector<contract::Clause> all;
    for (const auto& some :
         {contract::image_clauses(), contract::container_clauses(), contract::stream_clauses()}) {
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

} // namespace

TEST_CASE("the Engine keeps the contract", "[contract]") {
    for (const auto& one : all_clauses()) {
        DYNAMIC_SECTION(one.name) {
            EngineBench bench(Kind::Given);
            bench.run(one.run(*bench.engine));
        }
    }
}

TEST_CASE("the fake Engine keeps the contract, each byte alone") {
    for (const auto& one : all_clauses()) {
        DYNAMIC_SECTION(one.name) {
            EngineBench bench(Kind::FakeSplit);
            bench.run(one.run(*bench.engine));
        }
    }
}

TEST_CASE("the fake Engine keeps the contract as the newest version") {
    for (const auto& one : all_clauses()) {
        DYNAMIC_SECTION(one.name) {
            EngineBench bench(Kind::Fake);
            bench.fake->set_api("1.52", "1.44", "29.0.0");
            bench.run(one.run(*bench.engine));
        }
    }
}

} // namespace methos::test
