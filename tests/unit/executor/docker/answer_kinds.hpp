// A sound answer of each kind that executor/docker decodes, and what is read from which place in
// it: what tests damage.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace methos::docker {

/// What was decoded, by the place in the document where each value comes from.
using Fields = std::map<std::string, std::string>;

struct AnswerKind {
    const char* name;
    const char* answer;
    Fields (*decode)(const std::string&);
    std::vector<std::string> required; ///< places without which it is no answer
};

[[nodiscard]] const std::vector<AnswerKind>& answer_kinds();

} // namespace methos::docker
