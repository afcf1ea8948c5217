// The contract of the Docker Engine as executor/docker relies on it, in clauses: each runs against
// any Engine and checks one thing that the executor counts on. Written down by subject in
// contract_images.cpp, contract_containers.cpp and contract_streams.cpp; contract_test.cpp says
// which Engines must keep them.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/docker/engine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <string>
#include <vector>

namespace methos::test::contract {

struct Clause {
    const char* name;
    awaitable<void> (*run)(docker::Engine&);
};

[[nodiscard]] std::vector<Clause> image_clauses();
[[nodiscard]] std::vector<Clause> container_clauses();
[[nodiscard]] std::vector<Clause> stream_clauses();

/// One container of a clause, with a label of its own, so that none sees those of another.
struct Case {
    explicit Case(docker::Engine& engine_)
        : engine(engine_), name("methos-contract-" + random_hex(6)) {}

    docker::Engine& engine;
    std::string name;

    /// A container that runs that shell script, without a network.
    [[nodiscard]] docker::ContainerConfig script(const std::string& text) const;
    /// Lists this container only, whatever its state.
    [[nodiscard]] docker::ListQuery mine() const;
};

// Each succeeds, or fails the test.
[[nodiscard]] awaitable<std::string> create(Case& test, docker::ContainerConfig config);
[[nodiscard]] awaitable<void> start(Case& test);
[[nodiscard]] awaitable<docker::ContainerState> inspect(Case& test);
[[nodiscard]] awaitable<docker::ContainerState> wait_for_exit(Case& test);
[[nodiscard]] awaitable<void> remove(Case& test);

} // namespace methos::test::contract
