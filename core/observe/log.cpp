#include "core/observe/log.hpp"

#include "core/observe/log_line.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <mutex>
#include <utility>

namespace methos::log {

namespace {

/// The process's one logger, made on first use and never destroyed: objects that end after main
/// may still log.
spdlog::logger& logger() {
    static auto& instance = *[] {
        auto* made =
            new spdlog::logger("methos", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return instance;
}

void write(spdlog::level::level_enum level, std::string_view message, Fields fields) {
    if (logger().should_log(level)) {
        logger().log(level, format_line(message, fields));
    }
}

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
    case LogLevel::Debug:
        return spdlog::level::debug;
    case LogLevel::Info:
        return spdlog::level::info;
    case LogLevel::Warning:
        return spdlog::level::warn;
    case LogLevel::Error:
        break;
    }
    return spdlog::level::err;
}

} // namespace

Result<void> set_level(std::string_view level) {
    constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 5> names{{
        {"trace", spdlog::level::trace},
        {"debug", spdlog::level::debug},
        {"info", spdlog::level::info},
        {"warning", spdlog::level::warn},
        {"error", spdlog::level::err},
    }};
    for (const auto& [name, value] : names) {
        if (name == level) {
            logger().set_level(value);
            return {};
        }
    }
    return Error(Code::InvalidInput,
                 "log level '" + std::string(level) +
                     "' is none of trace, debug, info, warning, error");
}

void debug(std::string_view message, Fields fields) {
    write(spdlog::level::debug, message, fields);
}

void info(std::string_view message, Fields fields) {
    write(spdlog::level::info, message, fields);
}

void warning(std::string_view message, Fields fields) {
    write(spdlog::level::warn, message, fields);
}

void error(std::string_view message, Fields fields) {
    write(spdlog::level::err, message, fields);
}

void failure(std::string_view message, const Error& error, Fields fields) {
    const auto& traits = traits_of(error.code);
    const auto level = level_of(traits.log_level);
    if (!logger().should_log(level)) {
        return;
    }
    auto line = format_line(message, {{"code", traits.name}, {"error", error.to_string()}});
    line += format_line("", fields);
    logger().log(level, line);
}

void limited(std::string_view key, std::string_view message, Fields fields) {
    static std::mutex guard;
    static RateLimiter limiter;
    std::optional<std::uint64_t> left_out;
    {
        const std::lock_guard lock(guard);
        left_out = limiter.admit(key, std::chrono::steady_clock::now());
    }
    if (!left_out) {
        return;
    }
    auto line = format_line(message, fields);
    if (*left_out > 0) {
        line += format_line("", {{"left_out", *left_out}});
    }
    logger().log(spdlog::level::warn, line);
}

} // namespace methos::log
