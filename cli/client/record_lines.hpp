// Cuts a stream of JSON records, one a line, out of pieces that break anywhere. Owned by whoever
// reads the stream. Pure.
#pragma once

#include "core/base/error.hpp"

#include <functional>
#include <string>

namespace methos::cli {

class RecordLines {
  public:
    /// Calls `on_line` with each whole line, without its newline; empty lines are keep-alives and
    /// left out. Throws Failure(Protocol) for one of more than 1 MiB.
    void take(const std::string& bytes, const std::function<void(const std::string&)>& on_line) {
        pending_ += bytes;
        std::size_t start = 0;
        for (auto end = pending_.find('\n'); end != std::string::npos;
             end = pending_.find('\n', start)) {
            if (end > start) {
                on_line(pending_.substr(start, end - start));
            }
            start = end + 1;
        }
        pending_.erase(0, start);
        if (pending_.size() > record_bytes_max) {
            throw Failure(Code::Protocol, "the master sent a record of more than 1 MiB");
        }
    }

  private:
    /// A container's line is at most 16 KiB; JSON may make six bytes of one.
    static constexpr std::size_t record_bytes_max = 1024 * 1024;

    std::string pending_;
};

} // namespace methos::cli
