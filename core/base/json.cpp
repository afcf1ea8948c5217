#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

namespace methos {

using nlohmann::json;
using nlohmann::ordered_json;

json parse_json(std::string_view text) {
    return json::parse(text);
}

json parse_json(std::string_view text, int depth_max) {
    bool too_deep = false;
    const json::parser_callback_t guard = [&](int depth, json::parse_event_t event, json&) {
        const bool opens =
            event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
        too_deep = too_deep || (opens && depth >= depth_max);
        return !too_deep;
    };
    auto value = json::parse(text, guard);
    return too_deep ? json(json::value_t::discarded) : value;
}

json try_parse_json(std::string_view text) {
    return json::parse(text, nullptr, false);
}

ordered_json parse_ordered_json(std::string_view text) {
    return ordered_json::parse(text);
}

ordered_json try_parse_ordered_json(std::string_view text) {
    return ordered_json::parse(text, nullptr, false);
}

std::string dump_json(const json& value, int indent) {
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::string dump_json(const ordered_json& value, int indent) {
    return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

Result<std::string> dump_json_exactly(const json& value) {
    try {
        return value.dump();
    } catch (const json::type_error& failure) {
        return Error(Code::InvalidInput, failure.what());
    }
}

} // namespace methos
