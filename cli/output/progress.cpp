#include "cli/output/progress.hpp"

#include <algorithm>
#include <ostream>

namespace methos::cli {

Progress::~Progress() {
    clear();
}

void Progress::show(const std::string& text) {
    const auto clean = printable(text);
    if (clean == shown_) {
        return;
    }
    shown_ = clean;
    if (!terminal_.err_is_tty) {
        terminal_.err << clean << std::endl;
        return;
    }
    // One column stays free: a full line wraps on some terminals, and cannot be rewritten then.
    const auto columns = static_cast<std::size_t>(std::max(terminal_.columns - 1, 10));
    terminal_.err << "\r\033[K" << paint(shortened(clean, columns), Tone::Busy, terminal_.colour)
                  << std::flush;
    line_open_ = true;
}

void Progress::clear() {
    if (line_open_) {
        terminal_.err << "\r\033[K" << std::flush;
        line_open_ = false;
    }
}

} // namespace methos::cli
