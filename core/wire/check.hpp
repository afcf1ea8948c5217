// Collects the first thing that is wrong with a received entity. Used by frames.cpp and mapping.cpp
// only, so that their readers are straight lists of fields.
#pragma once

#include "core/base/error.hpp"
#include "core/wire/frames.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace methos::wire {

class Check {
  public:
    /// `entity` names what is read: "task status 17".
    explicit Check(std::string entity) : entity_(std::move(entity)) {}

    /// Records a failure unless `ok`; `field` and `problem` become "<entity>: <field> <problem>".
    void that(bool ok, std::string_view field, std::string_view problem) {
        if (!ok && !error_) {
            error_ = Error(Code::Protocol,
                           entity_ + ": " + std::string(field) + " " + std::string(problem));
        }
    }

    void text(std::string_view field, std::string_view value, std::size_t bytes_max) {
        that(value.size() <= bytes_max, field, "is too long");
        that(value.find('\0') == std::string_view::npos, field, "holds a NUL character");
    }

    void name(std::string_view field, std::string_view value, std::size_t bytes_max) {
        that(!value.empty(), field, "is empty");
        text(field, value, bytes_max);
    }

    /// A text of one line, as people, logs and headers need it.
    void line(std::string_view field, std::string_view value, std::size_t bytes_max) {
        text(field, value, bytes_max);
        const bool legal = std::none_of(
            value.begin(), value.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
        that(legal, field, "holds a control character");
    }

    void length(std::string_view field, int count, std::size_t limit = list_length_max) {
        that(count >= 0 && static_cast<std::size_t>(count) <= limit, field, "has too many entries");
    }

    void range(std::string_view field, std::int64_t value, std::int64_t min, std::int64_t max) {
        that(value >= min && value <= max, field, "is out of range");
    }

    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

    /// The value when nothing was wrong.
    template <class T>
    [[nodiscard]] Result<T> finish(T value) {
        if (error_) {
            return std::move(*error_);
        }
        return value;
    }

  private:
    std::string entity_;
    std::optional<Error> error_;
};

} // namespace methos::wire
