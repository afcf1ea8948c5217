// The steps that clauses share, and the container they share them on.
#include "tests/component/docker/contract.hpp"

#include "tests/component/docker/bench.hpp"
#include "tests/support/catch.hpp"

namespace methos::test::contract {

using namespace docker;

ContainerConfig Case::script(const std::string& text) const {
    ContainerConfig config;
    config.image = contract_image;
    config.command = {"/bin/sh", "-c", text};
    config.labels["methos.contract"] = name;
    config.network_mode = "none";
    return config;
}

ListQuery Case::mine() const {
    ListQuery query;
    query.labels.emplace_back("methos.contract", name);
    return query;
}

awaitable<std::string> create(Case& test, ContainerConfig config) {
    auto created = co_await test.engine.create_container(std::move(config), test.name);
    co_return std::move(created).value().id;
}

awaitable<void> start(Case& test) {
    auto started = co_await test.engine.start_container(test.name);
    REQUIRE(std::move(started).value() == StartOutcome::Started);
}

awaitable<ContainerState> inspect(Case& test) {
    auto state = co_await test.engine.inspect_container(test.name);
    co_return std::move(state).value();
}

awaitable<ContainerState> wait_for_exit(Case& test) {
    for (;;) {
        auto state = co_await inspect(test);
        if (state.status == ContainerStatus::Exited) {
            co_return state;
        }
        co_await sleep_for(std::chrono::milliseconds(10)); // asks again; asserts no time
    }
}

awaitable<void> remove(Case& test) {
    auto removed = co_await test.engine.remove_container(test.name, true);
    REQUIRE(std::move(removed).value() == RemoveOutcome::Removed);
}

} // namespace methos::test::contract
