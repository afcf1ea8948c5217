// Fuzz target of core/state: any bytes as a snapshot, as they are and with the frames' checksums
// put right, so that what stands behind them is reached. What is accepted must be a snapshot: in
// order, with its cluster's record, and the same again when its records are written anew.
#include "tests/support/fuzz.hpp"
#include "tests/support/snapshot_samples.hpp"

#include <cstdlib>
#include <string_view>

namespace {

using namespace methos::state;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) {
        value = (value << 8U) | static_cast<std::uint8_t>(bytes[at + i]);
    }
    return value;
}

/// Puts the checksum of every frame right, as far as the frames go.
std::string repaired(std::string bytes) {
    constexpr std::size_t head = 13;
    auto at = bytes.find('\n');
    at = at == std::string::npos ? bytes.size() : at + 1;
    for (std::uint64_t position = 0; at + head <= bytes.size(); ++position) {
        const auto length = number_at(bytes, at + 1, 4);
        if (length > bytes.size() - at - head) {
            break;
        }
        const auto seed = position ^ (number_at(bytes, at, 1) << 56U);
        auto sum = checksum_of(seed, std::string_view(bytes).substr(at + head, length));
        for (std::size_t i = 0; i < 8; ++i, sum >>= 8U) {
            bytes[at + 5 + i] = static_cast<char>(sum & 0xFF);
        }
        at += head + length;
    }
    return bytes;
}

void check(const std::string& bytes) {
    std::vector<Record> records;
    SnapshotSummary summary;
    try {
        summary = samples::read(bytes, records);
    } catch (const methos::Failure& failure) {
        require(failure.code() == methos::Code::InvalidInput);
        return;
    }
    require(summary.bytes == bytes.size() && !records.empty());
    require(records.front().table == Table::Meta);
    std::vector<Record> again;
    const auto second = samples::read(samples::snapshot(records, summary.header), again);
    require(again == records && second.header == summary.header);
}

} // namespace

std::vector<std::string> methos::fuzz::seed_inputs() {
    auto old = samples::header();
    old.schema = 1;
    const std::vector<Record> least(1, samples::meta_record());
    return {samples::snapshot(), samples::snapshot(least), samples::snapshot(least, old)};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    check(bytes);
    check(repaired(bytes));
    return 0;
}
