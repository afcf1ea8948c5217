// methos-executor: reads its flags, runs one Executor until SIGTERM, and leaves its containers
// running.
#include "core/observe/log.hpp"
#include "core/runtime/program.hpp"
#include "executor/executor.hpp"
#include "executor/options.hpp"
#include "executor/race.hpp"
#include "executor/session/host_claim.hpp"
#include "executor/session/host_recovery.hpp"

#include <cstdio>
#include <functional>
#include <optional>

namespace {

using methos::executor::Executor;
using methos::executor::ExecutorOptions;
using methos::executor::HostClaim;
using methos::executor::HostIdentity;

/// Both references are to what the caller's frame keeps.
methos::awaitable<>
find_identity_into(HostIdentity& identity, methos::Program& program, ExecutorOptions options) {
    identity = co_await methos::executor::find_identity(program.executor(), std::move(options));
}

using ReadOptions = std::function<std::optional<ExecutorOptions>()>;

void reload(Executor& executor, const ReadOptions& read) {
    const auto options = read();
    if (!options) {
        methos::log::warning("SIGHUP: the configuration is wrong and nothing of it was taken over");
        return;
    }
    if (const auto level = methos::log::set_level(options->log_level); !level) {
        methos::log::warning("SIGHUP: --log-level: " + level.error().message);
    }
    executor.reload(*options);
    methos::log::info("SIGHUP: the configuration was read again");
}

/// What broke the executor, or null when it is to end.
methos::awaitable<std::exception_ptr> stop_or_failure(methos::Program& program,
                                                      Executor& executor) {
    auto stopping = program.stop_requested().wait();
    auto breaking = executor.broken();
    std::exception_ptr failure;
    try {
        co_await methos::executor::race(std::move(stopping), std::move(breaking));
    } catch (const methos::Failure&) {
        failure = std::current_exception();
    }
    co_return failure;
}

methos::awaitable<>
run_until_stopped(methos::Program& program, ExecutorOptions options, ReadOptions read) {
    const auto folder = HostClaim::of_data_dir(options.data_dir);
    HostIdentity identity;
    auto finding = find_identity_into(identity, program, options);
    auto stopping = program.stop_requested().wait();
    co_await methos::executor::race(std::move(finding), std::move(stopping));
    if (program.stop_requested().is_open()) {
        co_return;
    }
    const auto host = HostClaim::of_host(identity.id, options.data_dir);
    Executor executor(program.executor(), std::move(options), std::move(identity));
    executor.start();
    program.on_hangup([&executor, &read] { reload(executor, read); });
    const auto failure = co_await stop_or_failure(program, executor);
    methos::log::info("stopping; containers go on running");
    program.on_hangup({});
    co_await executor.stop(true);
    if (failure) { // whoever started this process does it again
        std::rethrow_exception(failure);
    }
}

} // namespace

int main(int argc, char** argv) {
    int exit_code = 0;
    auto options = methos::executor::read_executor_options(argc, argv, exit_code);
    if (!options) {
        return exit_code;
    }
    const auto level = methos::log::set_level(options->log_level);
    if (!level) {
        std::fprintf(stderr, "methos-executor: --log-level: %s\n", level.error().message.c_str());
        return 2;
    }
    const auto read_again = [argc, argv] {
        int ignored = 0;
        return methos::executor::read_executor_options(argc, argv, ignored);
    };
    methos::ProgramOptions surroundings;
    surroundings.pool_threads = 1;
    methos::Program program(surroundings);
    return program.run(run_until_stopped(program, std::move(*options), read_again));
}
