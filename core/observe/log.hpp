// Structured logs to stderr, one line per event: `time level message key=value ...`. spdlog inside.
// Set up once by main; safe to call from any thread.
#pragma once

#include "core/base/error.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace methos::log {

/// One key=value of a line. Values are quoted when they hold blanks or control characters.
struct Field {
    std::string_view key;
    std::string value;

    Field(std::string_view key_, std::string value_) : key(key_), value(std::move(value_)) {}

    Field(std::string_view key_, const char* value_) : key(key_), value(value_) {}

    Field(std::string_view key_, std::string_view value_) : key(key_), value(value_) {}
    template <class Number>

    requires std::is_arithmetic_v<Number> Field(std::string_view key_, Number value_)
        : key(key_), value(std::to_string(value_)) {}
};

using Fields = std::initializer_list<Field>;

/// "trace", "debug", "info", "warning", "error". Errors: InvalidInput with the list.
[[nodiscard]] Result<void> set_level(std::string_view level);

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warning(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

/// Logs at the level that the error's code has in the table (Cancelled: debug).
void failure(std::string_view message, const Error& error, Fields fields = {});

/// At most one line per `key` and second; says how many were left out.
void limited(std::string_view key, std::string_view message, Fields fields = {});

} // namespace methos::log
