// A snapshot: the whole durable state of a cluster at one moment, as a file. The master writes it
// (GET /methos/v1/snapshot), the command line reads it. Never holds tokens or keys. Pure: bytes
// out, bytes in; one pass, memory for one record.
//
//   snapshot = "METHOS-SNAPSHOT 1\n" frame*
//   frame    = kind:u8 length:u32 checksum:u64 payload            numbers are little-endian
//   kinds    : 'H' first, a SnapshotBegin (meta.proto)
//              'R' a record: table:u8 key:u64 value; ordered by table and key
//              'E' last, a SnapshotEnd: how many records, SHA-256 of every byte before this frame
//
// A frame's checksum is checksum_of its position and kind, and its payload: a frame that was
// changed, left out, repeated or moved is found where it is, and named.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/state/table.hpp"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace methos::state {

struct SnapshotHeader {
    std::uint32_t schema = schema_version;
    std::string cluster;
    std::uint64_t epoch = 0;
    WallTime taken_at;
    std::string build; ///< of the master
    friend bool operator==(const SnapshotHeader&, const SnapshotHeader&) = default;
};

class Sha256;

/// Makes the bytes of a snapshot, piece by piece, in the order of its functions.
class SnapshotWriter {
  public:
    SnapshotWriter();
    SnapshotWriter(const SnapshotWriter&) = delete;
    SnapshotWriter& operator=(const SnapshotWriter&) = delete;
    ~SnapshotWriter();

    [[nodiscard]] std::string begin(const SnapshotHeader& header);
    /// Appends to `out`.
    void add(const Record& record, std::string& out);
    [[nodiscard]] std::string end();

  private:
    void add_frame(char kind, const std::string& payload, std::string& out);

    std::unique_ptr<Sha256> digest_;
    std::uint64_t position_ = 0;
    std::uint64_t records_ = 0;
};

/// What a snapshot holds, every checksum verified.
struct SnapshotSummary {
    SnapshotHeader header;
    std::map<Table, std::uint64_t> records;
    std::uint64_t bytes = 0;
    std::string sha256; ///< of everything before the last frame, in hex
};

/// Reads a snapshot to its end and hands its records over, in order. What was handed over counts
/// only when this returns: the end may be missing. `on_header` comes first.
/// Errors (thrown): InvalidInput when it is no snapshot, damaged, cut short, not of one cluster or
/// of a newer Methos, saying which and where.
[[nodiscard]] SnapshotSummary
read_snapshot(std::istream& in,
              const std::function<void(const SnapshotHeader&)>& on_header,
              const std::function<void(const Record&)>& on_record);

} // namespace methos::state
