// What is remembered of signals that dockerd sent: the last one of each container, as long as the
// container is there, and of so many containers.
#include "executor/tasks/stop_witness.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

ContainerFacts testified(const StopWitness& witness, const std::string& container_id) {
    ContainerFacts facts;
    facts.id = container_id;
    witness.testify(facts);
    return facts;
}

} // namespace

SCENARIO("the last signal of a container is remembered until it is removed") {
    StopWitness witness;
    witness.docker_listens_since(WallTime(5s));
    witness.signalled("c1", WallTime(20s));
    witness.signalled("c1", WallTime(10s)); // told again
    CHECK(testified(witness, "c1").signalled_at == WallTime(20s));
    CHECK(testified(witness, "c1").docker_since == WallTime(5s));
    CHECK_FALSE(testified(witness, "c2").signalled_at);
    witness.forget("c1");
    CHECK_FALSE(testified(witness, "c1").signalled_at);
}

SCENARIO("signals beyond the most that are remembered push out the oldest") {
    StopWitness witness;
    for (std::size_t i = 0; i <= StopWitness::containers_max; ++i) {
        witness.signalled("c" + std::to_string(i), WallTime(std::chrono::seconds(i)));
    }
    CHECK_FALSE(testified(witness, "c0").signalled_at);
    CHECK(testified(witness, "c1").signalled_at);
    CHECK(testified(witness, "c" + std::to_string(StopWitness::containers_max)).signalled_at);
}

} // namespace methos::executor
