// Where the command line prints, and how: the streams, whether people or programs read them, and
// the form that `-o` asked for. Handed down by reference from program.cpp; commands print nowhere
// else.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

namespace methos::cli {

enum class Form { Table, Wide, Json, Yaml, Name };

/// What a piece of text means; colours follow from it.
enum class Tone { Plain, Good, Busy, Bad, Faint, Strong };

struct Terminal {
    std::ostream& out;
    std::ostream& err;
    bool out_is_tty = false;
    bool err_is_tty = false;
    bool colour = false; ///< a terminal, and no NO_COLOR
    int columns = 80;    ///< of the error stream's terminal, for the one-line progress
    Form form = Form::Table;

    /// Whether people read stdout; otherwise it holds one document and nothing else.
    [[nodiscard]] bool for_people() const { return form == Form::Table || form == Form::Wide; }
};

/// `text` in the colour of `tone`, or as it is when `colour` is off.
[[nodiscard]] std::string paint(std::string_view text, Tone tone, bool colour);

/// Text from elsewhere made harmless for a terminal: control characters become blanks, broken UTF-8
/// becomes '?'.
[[nodiscard]] std::string printable(std::string_view text);

/// How many columns the text takes; every code point counts as one.
[[nodiscard]] std::size_t width_of(std::string_view text);

/// At most `columns` columns of the text; what was cut is shown as "...".
[[nodiscard]] std::string shortened(std::string_view text, std::size_t columns);

} // namespace methos::cli
