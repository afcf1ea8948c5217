// How an executor finds out whether a task does its work: what to ask, how often, and how many
// failures in a row are too many. Part of a TaskSpec. Pure values; who asks is executor/checks, who
// understands Mesos's and Marathon's words for it are the master's frameworks.
#pragma once

#include "core/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace methos {

constexpr std::size_t health_checks_max = 16;                            ///< of one spec
constexpr Duration health_interval_min = std::chrono::milliseconds(100); ///< of what is run
constexpr Duration health_time_max = std::chrono::hours(24 * 7); ///< of every duration below

enum class ProbeKind : std::uint8_t {
    Http,    ///< GET; 200 to 399 is healthy
    Https,   ///< the same; the certificate is not verified
    Tcp,     ///< a connection is accepted
    Command, ///< run in the container, ends with 0
};

struct HealthCheck {
    ProbeKind kind = ProbeKind::Http;
    std::uint16_t port = 0; ///< as the task's own network numbers it; 0: see port_index
    std::optional<std::uint32_t> port_index; ///< which of the launch's ports; with neither: the 1st
    bool ipv6 = false;                       ///< ask the task's IPv6 address
    std::string path = "/";                  ///< of Http and Https
    bool ignore_1xx = false;                 ///< such an answer is neither good nor bad
    std::vector<std::string> command;        ///< of Command: program and arguments
    std::map<std::string, std::string> env;  ///< of Command, besides the container's
    Duration delay{};                        ///< from the task's start to the first probe
    Duration grace{}; ///< from the task's start; failures before the first success do not count
    Duration interval = std::chrono::seconds(10); ///< from a probe's end to the next
    Duration timeout = std::chrono::seconds(20);  ///< of one probe; 0: as long as the interval
    std::uint32_t failures_max = 3; ///< in a row, then the task is killed; 0: it is never killed
    friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

[[nodiscard]] constexpr bool asks_network(ProbeKind kind) {
    return kind != ProbeKind::Command;
}

} // namespace methos
