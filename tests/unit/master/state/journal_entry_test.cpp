// Journal entries: what goes in comes out, and no cut or flipped byte is taken for data.
#include "master/state/journal_entry.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/master/state/model.hpp"

#include <limits>

using namespace methos::state;

namespace {

Batch sample() {
    return {{Table::Meta, 0, ""},
            {Table::Task, record_key_max, std::string(300, '\0')},
            {Table::App, 127, std::nullopt},
            {Table::Spec, 128, "value"}};
}

} // namespace

TEST_CASE("an entry gives back its changes") {
    for (const auto& changes : {Batch{}, sample()}) {
        const auto read = decode_entry(9, encode_entry(9, changes));
        REQUIRE(read);
        REQUIRE(*read == changes);
    }
}

TEST_CASE("an entry that was cut, flipped, extended or moved is damaged") {
    const auto entry = encode_entry(9, sample());
    for (std::size_t size = 0; size < entry.size(); ++size) {
        REQUIRE_FALSE(decode_entry(9, entry.substr(0, size)));
    }
    for (std::size_t at = 0; at < entry.size(); ++at) {
        auto flipped = entry;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
        CAPTURE(at);
        REQUIRE_FALSE(decode_entry(9, flipped));
    }
    REQUIRE_FALSE(decode_entry(9, entry + 'x'));
    const auto moved = decode_entry(10, entry);
    REQUIRE_FALSE(moved);
    REQUIRE(moved.error().message.find("journal entry 10") != std::string::npos);
}
