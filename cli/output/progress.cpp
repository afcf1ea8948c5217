#include "cli/output/progress.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace methos::cli {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Without the words in parentheses that begin with a digit: how far a download is, how long until
/// the next try. What stands outside of them are the counts that matter.
std::string without_details(const std::string& text) {
    std::string kept;
    int depth = 0;
    bool in_number = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        depth += c == '(' ? 1 : 0;
        const bool begins = i > 0 && (text[i - 1] == ' ' || text[i - 1] == '(') && is_digit(c);
        const bool ends = c == ' ' || c == ';' || c == ',' || c == ')';
        in_number = depth > 0 && !ends && (in_number || begins);
        if (!in_number) {
            kept += c;
        }
        depth -= c == ')' && depth > 0 ? 1 : 0;
    }
    return kept;
}

} // namespace

Progress::~Progress() {
    clear();
}

void Progress::show(const std::string& text) {
    const auto clean = printable(text);
    auto state = terminal_.err_is_tty ? clean : without_details(clean);
    if (state == shown_) {
        return;
    }
    shown_ = std::move(state);
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
