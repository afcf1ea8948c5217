// Snapshots for tests: a small one with everything in it, and the frames that any is made of.
#pragma once

#include "core/state/meta.pb.h"
#include "core/state/snapshot.hpp"

#include <sstream>
#include <string>
#include <vector>

namespace methos::state::samples {

inline SnapshotHeader header() {
    SnapshotHeader header;
    header.cluster = "c1";
    header.epoch = 7;
    header.taken_at = WallTime(std::chrono::milliseconds(1'700'000'000'123));
    header.build = "0.1.0";
    return header;
}

inline Record meta_record(const std::string& cluster = "c1") {
    MetaRecord meta;
    meta.set_cluster(cluster);
    meta.set_epoch(7);
    meta.set_numbers_reserved(2000);
    meta.set_schema(schema_version);
    return {Table::Meta, meta_key, meta.SerializeAsString()};
}

inline std::vector<Record> records() {
    return {meta_record(),
            {Table::Host, 1, "a host"},
            {Table::App, 0, ""},
            {Table::App, record_key_max, std::string(300, '\0')},
            {Table::Role, 5, "a role"},
            {Table::AppVersion, 6, "what an app was"}};
}

/// The first line with the header, each record, the end: joined they are a snapshot.
inline std::vector<std::string> pieces(const SnapshotHeader& header,
                                       const std::vector<Record>& records) {
    SnapshotWriter writer;
    std::vector<std::string> pieces(1, writer.begin(header));
    for (const auto& record : records) {
        writer.add(record, pieces.emplace_back());
    }
    pieces.push_back(writer.end());
    return pieces;
}

inline std::string joined(const std::vector<std::string>& pieces) {
    std::string all;
    for (const auto& piece : pieces) {
        all += piece;
    }
    return all;
}

inline std::string snapshot(const std::vector<Record>& records = samples::records(),
                            const SnapshotHeader& header = samples::header()) {
    return joined(pieces(header, records));
}

/// What reading it hands over. Throws as read_snapshot.
inline SnapshotSummary read(const std::string& bytes, std::vector<Record>& records) {
    std::istringstream in(bytes);
    return read_snapshot(
        in,
        [](const SnapshotHeader&) {},
        [&records](const Record& record) { records.push_back(record); });
}

} // namespace methos::state::samples
