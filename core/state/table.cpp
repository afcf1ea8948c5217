#include "core/state/table.hpp"

namespace methos::state {

std::string_view to_string(Table table) {
    switch (table) {
    case Table::Meta:
        return "meta";
    case Table::Host:
        return "host";
    case Table::App:
        return "app";
    case Table::Spec:
        return "spec";
    case Table::Task:
        return "task";
    case Table::AppEnd:
        return "app_end";
    case Table::Framework:
        return "framework";
    case Table::Update:
        return "update";
    case Table::Role:
        return "role";
    case Table::AppVersion:
        return "app_version";
    }
    return "?";
}

std::optional<Table> table_of(std::uint8_t number, std::uint32_t schema) {
    // The last table of each schema, from schema 1 on.
    static constexpr std::array<Table, schema_version> last{
        Table::AppEnd, Table::Role, Table::AppVersion};
    const auto table = static_cast<Table>(number);
    const bool known = schema >= 1 && schema <= last.size() && table >= tables.front() &&
                       table <= last.at(schema - 1);
    return known ? std::optional(table) : std::nullopt;
}

std::uint64_t checksum_of(std::uint64_t seed, std::string_view bytes) {
    constexpr std::uint64_t prime = 0x100000001B3ULL;
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        hash = (hash ^ ((seed >> shift) & 0xFF)) * prime;
    }
    for (const char byte : bytes) {
        hash = (hash ^ static_cast<std::uint8_t>(byte)) * prime;
    }
    return hash;
}

} // namespace methos::state
