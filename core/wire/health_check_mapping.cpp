#include "core/wire/health_check_mapping.hpp"

#include <algorithm>
#include <chrono>

namespace methos::wire {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::int64_t failures_limit = 1'000'000; ///< of failures_max: as good as never

ProbeKind kind_of(HealthCheck::Kind kind) {
    switch (kind) {
    case HealthCheck::HTTPS:
        return ProbeKind::Https;
    case HealthCheck::TCP:
        return ProbeKind::Tcp;
    case HealthCheck::COMMAND:
        return ProbeKind::Command;
    default:
        return ProbeKind::Http;
    }
}

HealthCheck::Kind kind_of(ProbeKind kind) {
    switch (kind) {
    case ProbeKind::Https:
        return HealthCheck::HTTPS;
    case ProbeKind::Tcp:
        return HealthCheck::TCP;
    case ProbeKind::Command:
        return HealthCheck::COMMAND;
    case ProbeKind::Http:
        break;
    }
    return HealthCheck::HTTP;
}

Duration
read_time(Check& check, std::string_view field, std::int64_t ms, Duration min = Duration::zero()) {
    const auto longest = duration_cast<milliseconds>(health_time_max).count();
    const auto least = duration_cast<milliseconds>(min).count();
    check.range(field, ms, least, longest);
    return milliseconds(std::clamp(ms, least, longest));
}

/// A path goes into a request's first line.
bool is_path(std::string_view path) {
    return path.starts_with('/') && std::none_of(path.begin(), path.end(), [](char c) {
               return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
           });
}

methos::HealthCheck read_one(Check& check, const HealthCheck& in) {
    check.that(HealthCheck::Kind_IsValid(in.kind()), "health check kind", "is not known here");
    check.range("health check port", in.port(), 0, 65535);
    check.text("health check path", in.path(), text_bytes_max);
    check.length("health check command", in.command_size());
    check.range("health check failures_max", in.failures_max(), 0, failures_limit);

    methos::HealthCheck out;
    out.kind = kind_of(in.kind());
    out.port = static_cast<std::uint16_t>(in.port());
    if (in.has_port_index()) {
        check.range("health check port_index", in.port_index(), 0, list_length_max);
        out.port_index = in.port_index();
    }
    out.ipv6 = in.ipv6();
    if (!in.path().empty()) {
        check.that(is_path(in.path()), "health check path", "is no path of a URL");
        out.path = in.path();
    }
    out.ignore_1xx = in.ignore_1xx();
    for (const auto& word : in.command()) {
        check.text("health check command", word, text_bytes_max);
        out.command.push_back(word);
    }
    const bool runs = out.kind == ProbeKind::Command;
    check.that(!runs || !out.command.empty(), "health check command", "is empty");
    for (const auto& [key, value] : in.env()) {
        check.name("health check env", key, name_bytes_max);
        check.text("health check env", value, text_bytes_max);
        out.env.emplace(key, value);
    }
    out.delay = read_time(check, "health check delay_ms", in.delay_ms());
    out.grace = read_time(check, "health check grace_ms", in.grace_ms());
    out.interval =
        read_time(check, "health check interval_ms", in.interval_ms(), health_interval_min);
    out.timeout = read_time(check, "health check timeout_ms", in.timeout_ms());
    out.failures_max = in.failures_max();
    return out;
}

} // namespace

void write_health_checks(const std::vector<methos::HealthCheck>& checks, TaskSpec& out) {
    const auto ms = [](Duration time) { return duration_cast<milliseconds>(time).count(); };
    for (const auto& check : checks) {
        auto* to = out.add_health_checks();
        to->set_kind(kind_of(check.kind));
        to->set_port(check.port);
        if (check.port_index) {
            to->set_port_index(*check.port_index);
        }
        to->set_ipv6(check.ipv6);
        to->set_path(check.path);
        to->set_ignore_1xx(check.ignore_1xx);
        for (const auto& word : check.command) {
            to->add_command(word);
        }
        for (const auto& [key, value] : check.env) {
            (*to->mutable_env())[key] = value;
        }
        to->set_delay_ms(ms(check.delay));
        to->set_grace_ms(ms(check.grace));
        to->set_interval_ms(ms(check.interval));
        to->set_timeout_ms(ms(check.timeout));
        to->set_failures_max(check.failures_max);
    }
}

std::vector<methos::HealthCheck> read_health_checks(Check& check, const TaskSpec& in) {
    check.length("health_checks", in.health_checks_size(), health_checks_max);
    std::vector<methos::HealthCheck> checks;
    if (!check.error()) {
        for (const auto& one : in.health_checks()) {
            checks.push_back(read_one(check, one));
        }
    }
    return checks;
}

} // namespace methos::wire
