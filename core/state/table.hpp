// The durable state as numbered records in a few tables: the vocabulary that the master, which
// keeps it, and the command line, which inspects and restores snapshots of it, have in common. Pure
// values; what a record's bytes mean is said by master/state/records.proto and meta.proto.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace methos::state {

/// Numbers are stored: append only.
enum class Table : std::uint8_t {
    Meta = 1,
    Host = 2,
    App = 3,
    Spec = 4,
    Task = 5,
    AppEnd = 6,
    Framework = 7,   ///< foreign frameworks, by a number of their own
    Update = 8,      ///< status updates that a foreign framework has not acknowledged yet
    Role = 9,        ///< weights, quota and policy of roles
    AppVersion = 10, ///< what apps were before their last change
};

/// In the order in which they are loaded.
inline constexpr std::array tables{Table::Meta,
                                   Table::Host,
                                   Table::App,
                                   Table::Spec,
                                   Table::Task,
                                   Table::AppEnd,
                                   Table::Framework,
                                   Table::Update,
                                   Table::Role,
                                   Table::AppVersion};

/// Of what records mean; kept in MetaRecord.schema, whatever the home is. Grows with each table and
/// whenever an older program would misread a record.
constexpr std::uint32_t schema_version = 3;

/// "app_end", as files and documents name it.
[[nodiscard]] std::string_view to_string(Table table);

/// Nothing when no table has that number in that schema.
[[nodiscard]] std::optional<Table> table_of(std::uint8_t number,
                                            std::uint32_t schema = schema_version);

constexpr std::uint64_t record_key_max = (1ULL << 63U) - 1; ///< SQLite's integer keys are signed
constexpr std::uint64_t meta_key = 1;                       ///< of the one record in Table::Meta

struct Record {
    Table table = Table::Meta;
    std::uint64_t key = 0;
    std::string value;
    friend bool operator==(const Record&, const Record&) = default;
};

/// One changed record; without a value it is erased.
struct Change {
    Table table = Table::Meta;
    std::uint64_t key = 0;
    std::optional<std::string> value;
    friend bool operator==(const Change&, const Change&) = default;
};

/// The changes of one step of the heart: all or nothing.
using Batch = std::vector<Change>;

/// 64-bit FNV-1a over `bytes`, started from `seed`: what tells a record from another's bytes.
[[nodiscard]] std::uint64_t checksum_of(std::uint64_t seed, std::string_view bytes);

} // namespace methos::state
