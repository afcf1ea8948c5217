#include "cli/output/table.hpp"

#include <algorithm>

namespace methos::cli {

namespace {

constexpr std::size_t gap_columns = 2;

void append_line(std::string& text,
                 const std::vector<Cell>& row,
                 const std::vector<std::size_t>& widths,
                 bool colour) {
    std::string line;
    std::size_t pending = 0; // blanks that are written only when something follows them
    for (std::size_t i = 0; i < row.size(); ++i) {
        line.append(pending, ' ');
        line += paint(row[i].text, row[i].tone, colour);
        pending = widths[i] - width_of(row[i].text) + gap_columns;
    }
    text += line + "\n";
}

} // namespace

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

void Table::add(std::vector<Cell> row) {
    row.resize(headings_.size());
    for (auto& cell : row) {
        cell.text = cell.text.empty() ? "-" : printable(cell.text);
    }
    rows_.push_back(std::move(row));
}

std::string Table::render(bool colour) const {
    std::vector<std::size_t> widths;
    std::vector<Cell> head;
    for (const auto& heading : headings_) {
        widths.push_back(width_of(heading));
        head.emplace_back(heading, Tone::Strong);
    }
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(row[i].text));
        }
    }
    std::string text;
    append_line(text, head, widths, colour);
    for (const auto& row : rows_) {
        append_line(text, row, widths, colour);
    }
    return text;
}

} // namespace methos::cli
