// Paths and queries of Engine requests. Names come from users and must not lead a request to
// another place ("../containers/x" as an image), so they are checked here. Pure.
#pragma once

#include "executor/docker/fault.hpp"
#include "executor/docker/values.hpp"

#include <string>
#include <utility>
#include <vector>

namespace methos::docker {

/// Letters, digits, "_", "." and "-", beginning with a letter or digit: an id or a name.
[[nodiscard]] bool is_container_name(const std::string& name);
/// The characters of an image reference, and no empty or dotted path component.
[[nodiscard]] bool is_image_reference(const std::string& reference);

/// Collects "?a=b&c=d", percent-encoded, in order.
class Query {
  public:
    /// Left out when the value is empty.
    Query& add(const std::string& name, const std::string& value);

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

  private:
    std::string text_;
};

/// {"label":["a=b","c"],"type":["container"]}: what `filters` takes.
using Filters = std::map<std::string, std::vector<std::string>>;
[[nodiscard]] std::string filters_json(const Filters& filters);

/// "k=v", or "k" where the value is empty.
[[nodiscard]] std::vector<std::string>
label_filters(const std::vector<std::pair<std::string, std::string>>& labels);

} // namespace methos::docker
