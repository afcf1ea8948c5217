#include "master/frameworks/external/definition/document.hpp"

#include "master/frameworks/external/definition/call_read.hpp"

#include <nlohmann/json.hpp>

#include <set>
#include <vector>

namespace methos::external {

using nlohmann::json;

namespace {

Error malformed(const std::string& what) {
    return Error(Code::InvalidInput, "Failed to parse body into JSON: " + what);
}

/// Watches a parse and stops it at the first excess.
class Bounds {
  public:
    /// Whether the parser may go on.
    bool operator()(int depth, json::parse_event_t event, const json& value) {
        if (!excess_.empty()) {
            return false;
        }
        switch (event) {
        case json::parse_event_t::object_start:
        case json::parse_event_t::array_start:
            fields_.emplace_back();
            count(depth);
            break;
        case json::parse_event_t::object_end:
        case json::parse_event_t::array_end:
            fields_.pop_back();
            break;
        case json::parse_event_t::key:
            if (!fields_.back().insert(value.get<std::string>()).second) {
                excess_ = "the field '" + value.get<std::string>() + "' comes twice in one object";
            }
            break;
        case json::parse_event_t::value:
            count(depth);
            break;
        }
        return excess_.empty();
    }

    [[nodiscard]] const std::string& excess() const { return excess_; }

  private:
    void count(int depth) {
        if (depth >= call_nesting_max) {
            excess_ = "nested deeper than " + std::to_string(call_nesting_max) + " levels";
        } else if (++values_ > call_values_max) {
            excess_ = "more than " + std::to_string(call_values_max) + " values";
        }
    }

    std::vector<std::set<std::string>> fields_; ///< of each object that is open; none of arrays
    std::size_t values_ = 0;
    std::string excess_;
};

} // namespace

Result<json> parse_document(const std::string& body) {
    if (body.size() > call_bytes_max) {
        return malformed("larger than " + std::to_string(call_bytes_max) + " bytes");
    }
    Bounds bounds;
    try {
        auto document = json::parse(body, [&](int depth, json::parse_event_t event, json& value) {
            return bounds(depth, event, value);
        });
        if (!bounds.excess().empty()) {
            return malformed(bounds.excess());
        }
        // Named in full: json converts to everything, an Error included.
        return Result<json>(boost::system::in_place_value, std::move(document));
    } catch (const json::exception& failure) {
        return malformed(bounds.excess().empty() ? failure.what() : bounds.excess());
    }
}

} // namespace methos::external
