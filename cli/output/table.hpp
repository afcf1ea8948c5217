// Tables for people: left-aligned columns two blanks apart, no trailing blanks, colour by meaning.
// Pure layout; cells are made printable here, so callers hand over whatever the master said.
#pragma once

#include "cli/output/terminal.hpp"

#include <string>
#include <vector>

namespace methos::cli {

struct Cell {
    std::string text;
    Tone tone = Tone::Plain;

    Cell() = default;

    Cell(std::string text_) : text(std::move(text_)) {} // NOLINT(google-explicit-constructor)

    Cell(const char* text_) : text(text_) {} // NOLINT(google-explicit-constructor)

    Cell(std::string text_, Tone tone_) : text(std::move(text_)), tone(tone_) {}
};

class Table {
  public:
    explicit Table(std::vector<std::string> headings);

    /// One row; cells that are missing stay empty, an empty cell is shown as "-".
    void add(std::vector<Cell> row);

    [[nodiscard]] bool empty() const { return rows_.empty(); }

    /// The whole table, each line ended by a newline.
    [[nodiscard]] std::string render(bool colour) const;

  private:
    std::vector<std::string> headings_;
    std::vector<std::vector<Cell>> rows_;
};

} // namespace methos::cli
