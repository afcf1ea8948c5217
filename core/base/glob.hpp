// Patterns as flags carry them: for whole names, without a notion of folders. Pure.
#pragma once

#include <string_view>

namespace methos {

/// `*` matches any run of characters, `?` one.
[[nodiscard]] bool matches_glob(std::string_view glob, std::string_view text);

} // namespace methos
