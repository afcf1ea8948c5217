// Live progress of a waiting command, on stderr: one line that is rewritten on a terminal, one line
// per change elsewhere. Silent when told to be.
#pragma once

#include "cli/output/terminal.hpp"

#include <string>

namespace methos::cli {

class Progress {
  public:
    explicit Progress(Terminal& terminal) : terminal_(terminal) {}

    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress(); ///< ends an open line

    /// Shows the state; the same text again prints nothing. Off a terminal a text that only counts
    /// on in its parentheses ("(12/45 MB)", "(again in 3s)") is the same, too.
    void show(const std::string& text);

    /// Takes the rewritten line away, so that something else can be printed.
    void clear();

  private:
    Terminal& terminal_;
    std::string shown_;
    bool line_open_ = false;
};

} // namespace methos::cli
