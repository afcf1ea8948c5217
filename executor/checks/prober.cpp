#include "executor/checks/prober.hpp"

#include "core/observe/log.hpp"
#include "core/runtime/timeout.hpp"
#include "executor/checks/overdue_command.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Verdict = ProbeResult::Verdict;

constexpr Duration ping_limit = 2s; // a Docker that is slower than that proves nothing
constexpr std::size_t output_shown_max = 200;

http::ClientOptions client_options() {
    http::ClientOptions options;
    options.user_agent = "methos-health-check";
    return options;
}

std::string url_of(const DueProbe& what) {
    const bool is_ipv6 = what.address.find(':') != std::string::npos;
    const auto host = is_ipv6 ? "[" + what.address + "]" : what.address;
    const auto* scheme = what.check.kind == ProbeKind::Https ? "https://" : "http://";
    return scheme + host + ":" + std::to_string(what.check.port) + what.check.path;
}

ProbeResult judge_status(int status, bool ignore_1xx) {
    if (status >= 200 && status < 400) {
        return {Verdict::Good, ""};
    }
    if (status < 200 && ignore_1xx) {
        return {Verdict::Void, ""};
    }
    return {Verdict::Bad, "HTTP " + std::to_string(status)};
}

ProbeResult judge_exit(const docker::ExecResult& result) {
    if (result.exit_code == 0) {
        return {Verdict::Good, ""};
    }
    auto message = "the command ended with exit code " + std::to_string(result.exit_code);
    auto output = result.output.substr(0, output_shown_max);
    output.erase(output.find_last_not_of(" \t\r\n") + 1);
    if (!output.empty()) {
        message += ": " + output;
    }
    return {Verdict::Bad, std::move(message)};
}

/// What a refused exec says of the task.
ProbeResult judge_refusal(const docker::EngineError& error) {
    switch (error.fault) {
    case docker::EngineFault::NoSuchContainer:
    case docker::EngineFault::NotRunning: // it has just ended: its lifecycle finds out
    case docker::EngineFault::Retryable:
        return {Verdict::Void, ""};
    default:
        return {Verdict::Bad, "the command could not be run: " + error.to_error().message};
    }
}

void end_overdue(const std::string& container, std::int64_t pid) {
    const auto end = end_command(container, pid, "/proc");
    if (end == CommandEnd::Signalled) {
        log::debug("ended a health check's command that took too long",
                   {{"container", container}, {"pid", pid}});
    } else if (end == CommandEnd::Refused) {
        log::limited("overdue command",
                     "a health check's command that took too long runs on: the kernel does not "
                     "let the executor end it; does its unit leave it CAP_KILL?",
                     {{"container", container}, {"pid", pid}});
    }
}

awaitable<> open_and_close(std::string address, std::uint16_t port) {
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address), port);
    const auto ended = co_await socket.async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
    const auto& failed = std::get<0>(ended);
    if (failed == asio::error::operation_aborted) {
        throw Failure(Code::Cancelled, "the connection was given up");
    }
    if (failed) {
        throw Failure(Code::Unavailable, failed.message());
    }
}

} // namespace

Prober::Prober(const asio::any_io_executor& executor, docker::Engine& engine)
    : client_(executor, client_options()), engine_(engine) {}

awaitable<ProbeResult> Prober::probe(DueProbe what) {
    const auto kind = what.check.kind;
    const bool is_command = kind == ProbeKind::Command;
    if (!is_command && what.address.empty()) {
        co_return ProbeResult{Verdict::Bad, "the task has no address of the wanted kind"};
    }
    Error error(Code::Internal, "");
    try {
        if (is_command) {
            co_return co_await run_command(std::move(what));
        }
        if (kind == ProbeKind::Tcp) {
            co_return co_await connect(std::move(what));
        }
        co_return co_await ask_http(std::move(what));
    } catch (const std::exception&) {
        error = error_of_current_exception();
        if (error.code == Code::Cancelled) {
            throw;
        }
    }
    const bool overdue = error.code == Code::Timeout;
    auto verdict = Verdict::Bad;
    if (is_command) { // its end was not seen: because of the command, or of Docker?
        const bool proves_it = overdue && co_await docker_answers();
        verdict = proves_it ? Verdict::Bad : Verdict::Void;
    }
    co_return ProbeResult{verdict, error.to_string(), overdue};
}

awaitable<ProbeResult> Prober::ask_http(DueProbe what) {
    http::ClientRequest request;
    request.url = url_of(what);
    request.connect_limit = what.limit;
    request.total_limit = what.limit;
    request.fresh_connection = true;
    request.verify_certificate = false; // as Mesos and Marathon: it is no secret that is asked for
    auto asking = client_.open(std::move(request));
    // The body is not read: with the answer, its transfer goes.
    const auto answer = co_await with_timeout(std::move(asking), what.limit, "the HTTP request");
    co_return judge_status(answer->status(), what.check.ignore_1xx);
}

awaitable<ProbeResult> Prober::connect(DueProbe what) {
    auto connecting = open_and_close(std::move(what.address), what.check.port);
    co_await with_timeout(std::move(connecting), what.limit, "the connection");
    co_return ProbeResult{Verdict::Good, ""};
}

awaitable<ProbeResult> Prober::run_command(DueProbe what) {
    docker::ExecRequest request;
    request.command = what.check.command;
    request.environment.assign(what.check.env.begin(), what.check.env.end());
    request.limit = what.limit;
    request.overdue = [container = what.container_id](std::int64_t pid) {
        end_overdue(container, pid);
    };
    const auto answer = co_await engine_.exec(std::move(what.container_id), std::move(request));
    if (!answer) {
        co_return judge_refusal(answer.error());
    }
    co_return judge_exit(*answer);
}

awaitable<bool> Prober::docker_answers() {
    try {
        co_await with_timeout(engine_.ping(), ping_limit, "Docker");
    } catch (const std::exception&) {
        if (error_of_current_exception().code == Code::Cancelled) {
            throw;
        }
        co_return false;
    }
    co_return true;
}

} // namespace methos::executor
