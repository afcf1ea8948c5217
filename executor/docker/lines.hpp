// Cuts a stream of bytes into its lines, wherever the pieces were cut. For the Engine's streams of
// JSON values, one a line. Pure and bounded.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace methos::docker {

class LineSplitter {
  public:
    static constexpr std::size_t line_bytes_max_default = 4 * 1024 * 1024;

    explicit LineSplitter(std::size_t line_bytes_max = line_bytes_max_default)
        : line_bytes_max_(line_bytes_max) {}

    /// Throws Failure(Protocol) when a line is longer than the cap.
    void feed(std::string_view bytes);
    /// The next whole line that is not blank, without its end ("\n" or "\r\n").
    [[nodiscard]] std::optional<std::string> next();
    /// After the end of the stream: what came behind the last line end; nothing when blank.
    [[nodiscard]] std::optional<std::string> rest();

  private:
    std::size_t line_bytes_max_;
    std::string buffer_;
    std::size_t taken_ = 0;   ///< bytes of buffer_ that next() has handed out
    std::size_t scanned_ = 0; ///< bytes of buffer_ known to hold no line end behind taken_
};

} // namespace methos::docker
