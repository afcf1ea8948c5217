// What the tests of the Engine client stand on: a loop, an HTTP client, an Engine, and either the
// fake Engine or, where METHOS_TEST_DOCKER_SOCKET names one, a real dockerd.
#pragma once

#include "core/http/client.hpp"
#include "executor/docker/engine.hpp"
#include "tests/support/fake_engine.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace methos::test {

/// Runs `work` on the loop until it has ended; rethrows what it threw. Fails after a minute, which
/// no test needs.
void run_on(asio::io_context& loop, awaitable<void> work);

/// The Failure that `work` throws; Internal with "no failure" when it throws none.
template <class T>
awaitable<Error> failure_of(awaitable<T> work) {
    try {
        co_await std::move(work);
    } catch (const Failure& failure) {
        co_return failure.error();
    }
    co_return Error(Code::Internal, "no failure");
}

/// An image that both Engines get by import: busybox, or for the fake a name.
inline const std::string contract_image = "methos-test/busybox:1";

/// What both can pull with tag 1: two layers. The real one's is in METHOS_TEST_PULL_IMAGE.
[[nodiscard]] std::string pull_image();

class EngineBench {
  public:
    enum class Kind { Fake, FakeSplit, Given };

    /// Given: the real dockerd where the environment names one, else the fake.
    explicit EngineBench(Kind kind = Kind::Fake);
    EngineBench(const EngineBench&) = delete;
    EngineBench& operator=(const EngineBench&) = delete;
    ~EngineBench();

    void run(awaitable<void> work) { run_on(loop, std::move(work)); }

    [[nodiscard]] static bool has_real_engine();

    asio::io_context loop;
    std::unique_ptr<FakeEngine> fake; ///< none with the real one
    std::unique_ptr<http::Client> client;
    std::unique_ptr<docker::Engine> engine;
};

} // namespace methos::test
