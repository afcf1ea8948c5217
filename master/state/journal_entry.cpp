#include "master/state/journal_entry.hpp"

namespace methos::state {

namespace {

constexpr char entry_mark = 'J';
constexpr char entry_version = 1;
constexpr std::size_t header_bytes = 2 + 4 + 8;
constexpr std::uint8_t erased_bit = 0x80;

void put_fixed(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
        out += static_cast<char>((value >> (8 * i)) & 0xFF);
    }
}

std::uint64_t get_fixed(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        value = (value << 8U) | static_cast<std::uint8_t>(bytes[i]);
    }
    return value;
}

void put_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out += static_cast<char>((value & 0x7F) | 0x80);
        value >>= 7U;
    }
    out += static_cast<char>(value);
}

/// Reads a payload from the front; `ok` stays false once something was missing.
struct Reader {
    std::string_view rest;
    bool ok = true;

    std::uint8_t byte() {
        if (rest.empty()) {
            ok = false;
            return 0;
        }
        const auto value = static_cast<std::uint8_t>(rest.front());
        rest.remove_prefix(1);
        return value;
    }

    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto next = byte();
            value |= static_cast<std::uint64_t>(next & 0x7F) << shift;
            if ((next & 0x80) == 0) {
                return value;
            }
        }
        ok = false;
        return 0;
    }

    std::string bytes(std::uint64_t size) {
        if (size > rest.size()) {
            ok = false;
            return {};
        }
        std::string value(rest.substr(0, size));
        rest.remove_prefix(size);
        return value;
    }
};

Error damaged(std::uint64_t sequence, const std::string& what) {
    return Error(Code::Internal,
                 "journal entry " + std::to_string(sequence) + " is damaged: " + what);
}

} // namespace

std::string encode_entry(std::uint64_t sequence, const Batch& changes) {
    std::string payload;
    put_varint(payload, changes.size());
    for (const auto& change : changes) {
        const auto table = static_cast<std::uint8_t>(change.table);
        payload += static_cast<char>(change.value ? table : table | erased_bit);
        put_varint(payload, change.key);
        if (change.value) {
            put_varint(payload, change.value->size());
            payload += *change.value;
        }
    }
    std::string entry{entry_mark, entry_version};
    entry.reserve(header_bytes + payload.size());
    put_fixed(entry, payload.size(), 4);
    put_fixed(entry, checksum_of(sequence, payload), 8);
    return entry += payload;
}

Result<Batch> decode_entry(std::uint64_t sequence, std::string_view entry) {
    if (entry.size() < header_bytes || entry[0] != entry_mark) {
        return damaged(sequence, "it does not begin as an entry does");
    }
    if (entry[1] != entry_version) {
        return damaged(sequence, "its version is not " + std::to_string(entry_version));
    }
    const auto payload = entry.substr(header_bytes);
    if (get_fixed(entry.substr(2, 4)) != payload.size()) {
        return damaged(sequence, "its length is not the one it names");
    }
    if (get_fixed(entry.substr(6, 8)) != checksum_of(sequence, payload)) {
        return damaged(sequence, "its checksum does not match");
    }
    Reader reader{payload};
    const auto count = reader.varint();
    Batch changes;
    for (std::uint64_t i = 0; i < count && reader.ok; ++i) {
        const auto table = reader.byte();
        const auto known = table_of(static_cast<std::uint8_t>(table & ~erased_bit));
        if (!known) {
            return damaged(sequence, "it names a table that does not exist");
        }
        Change change{*known, reader.varint(), std::nullopt};
        if ((table & erased_bit) == 0) {
            change.value = reader.bytes(reader.varint());
        }
        changes.push_back(std::move(change));
    }
    if (!reader.ok || !reader.rest.empty()) {
        return damaged(sequence, "its changes do not fill it exactly");
    }
    return changes;
}

} // namespace methos::state
