// Plays the executors of many hosts against a real methos-master, over the real bus and in one
// process: what tests/bench/fleet.py measures the master with. No Docker; one loop thread and
// ZeroMQ's own.
//
// `fleet_bench TOKEN_FILE HOSTS` connects, and prints one JSON object of figures for each `r` or
// `p` that it reads from stdin; after `p` the round trips begin anew. It ends at the end of stdin.
#include "core/base/units.hpp"
#include "core/runtime/program.hpp"
#include "tests/bench/emulated_host.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace methos;

namespace {

constexpr std::int64_t hosts_max = 3'000; ///< five descriptors each, of 20,000
constexpr Duration tick_interval = std::chrono::milliseconds(10);
constexpr Duration own_pause = std::chrono::milliseconds(500);
constexpr std::int64_t host_milli_cpus = 8'000;
constexpr std::int64_t host_mem_bytes = 16'000 * bytes_per_mb;
constexpr std::int64_t host_disk_bytes = 100'000 * bytes_per_mb;

HostInfo info_of(std::size_t number) {
    HostInfo info;
    info.id = HostId("emulated-" + std::to_string(number));
    info.hostname = "host" + std::to_string(number);
    info.resources.scalars = {host_milli_cpus, host_mem_bytes, host_disk_bytes, 0};
    info.resources.ports.insert(PortRange{31000, 32000});
    info.docker_up = true;
    info.docker_version = "emulated";
    return info;
}

class Fleet {
  public:
    Fleet(const asio::any_io_executor& executor, bus::JoinToken token, std::size_t hosts)
        : token_(std::move(token)), keys_(bus::make_curve_keys()) {
        for (std::size_t number = 1; number <= hosts; ++number) {
            hosts_.push_back(std::make_unique<bench::EmulatedHost>(
                executor, token_, keys_, info_of(number), figures_));
        }
    }

    awaitable<> run() {
        auto last = std::chrono::steady_clock::now();
        for (;;) {
            const auto now = std::chrono::steady_clock::now();
            const auto gap = now - last - tick_interval;
            last = now;
            figures_.own_pauses += gap > own_pause ? 1U : 0U;
            for (const auto& host : hosts_) {
                if (gap > own_pause) {
                    host->paused(gap);
                }
                host->tick();
            }
            co_await sleep_for(tick_interval);
        }
    }

    /// Prints the figures.
    void report() const {
        std::size_t in_session = 0;
        std::size_t running = 0;
        std::size_t unacknowledged = 0;
        for (const auto& host : hosts_) {
            in_session += host->in_session() ? 1U : 0U;
            running += host->running();
            unacknowledged += host->unacknowledged();
        }
        auto trips = figures_.round_trips;
        std::sort(trips.begin(), trips.end());
        const auto trip_ms = [&trips](std::size_t percent) {
            const auto at = trips.empty() ? 0 : (trips.size() - 1) * percent / 100;
            const auto trip = trips.empty() ? Duration() : trips[at];
            return std::chrono::duration<double, std::milli>(trip).count();
        };
        std::printf("{\"in_session\": %zu, \"running\": %zu, \"unacknowledged\": %zu, "
                    "\"sessions_begun\": %ju, \"sessions_lost\": %ju, \"launches\": %ju, "
                    "\"kills\": %ju, \"statuses_sent\": %ju, \"acknowledged\": %ju, "
                    "\"own_pauses\": %ju, \"launched_twice\": %ju, \"port_clashes\": %ju, "
                    "\"bad_frames\": %ju, \"round_trips\": %zu, \"round_trip_median_ms\": %.2f, "
                    "\"round_trip_p99_ms\": %.2f, \"round_trip_longest_ms\": %.2f}\n",
                    in_session,
                    running,
                    unacknowledged,
                    figures_.sessions_begun,
                    figures_.sessions_lost,
                    figures_.launches,
                    figures_.kills,
                    figures_.statuses_sent,
                    figures_.acknowledged,
                    figures_.own_pauses,
                    figures_.launched_twice,
                    figures_.port_clashes,
                    figures_.bad_frames,
                    trips.size(),
                    trip_ms(50),
                    trip_ms(99),
                    trip_ms(100));
        std::fflush(stdout);
    }

    void begin_phase() { figures_.round_trips.clear(); }

  private:
    bus::JoinToken token_;
    bus::CurveKeys keys_; ///< one pair for all: what tells hosts apart is their host key
    bench::FleetFigures figures_;
    std::vector<std::unique_ptr<bench::EmulatedHost>> hosts_;
};

/// Reports as stdin asks, and ends the program at its end.
awaitable<> answer(Program& program, Fleet& fleet) {
    asio::posix::stream_descriptor input(program.executor(),
                                         ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    std::array<char, 256> bytes{};
    for (;;) {
        boost::system::error_code ended;
        const auto buffer = asio::buffer(bytes);
        const auto count = co_await input.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, ended));
        if (ended) {
            program.request_stop();
            co_return;
        }
        for (std::size_t at = 0; at < count; ++at) {
            if (bytes.at(at) == 'r' || bytes.at(at) == 'p') {
                fleet.report();
            }
            if (bytes.at(at) == 'p') {
                fleet.begin_phase();
            }
        }
    }
}

awaitable<> play(Program& program, bus::JoinToken token, std::size_t hosts) {
    Fleet fleet(program.executor(), std::move(token), hosts);
    TaskGroup tasks(program.executor(), [&program](const std::string& child, const Error& error) {
        std::cerr << "fleet_bench: " << child << ": " << error.to_string() << "\n";
        program.request_stop();
    });
    tasks.spawn("the fleet", fleet.run());
    tasks.spawn("stdin", answer(program, fleet));
    co_await program.stop_requested().wait();
    tasks.stop();
    co_await tasks.join();
}

std::string first_line_of(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto hosts = parse_int(words.size() == 2 ? std::string_view(words[1]) : "", 1, hosts_max);
    if (!hosts) {
        std::cerr << "usage: fleet_bench TOKEN_FILE HOSTS (at most " << hosts_max << ")\n";
        return 2;
    }
    auto token = bus::parse_join_token(first_line_of(words[0]));
    if (!token) {
        std::cerr << "fleet_bench: " << words[0] << ": " << token.error().message << "\n";
        return 2;
    }
    Program program;
    return program.run(play(program, std::move(*token), static_cast<std::size_t>(*hosts)));
}
