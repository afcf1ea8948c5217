#include "cli/commands/snapshot.hpp"

#include "cli/client/partial_file.hpp"
#include "cli/output/document.hpp"
#include "cli/output/words.hpp"
#include "core/base/json.hpp"
#include "core/base/units.hpp"
#include "core/state/restore.hpp"
#include "core/state/snapshot.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <ostream>

namespace methos::cli {

namespace {

using nlohmann::ordered_json;

/// Longest silence of a master in the middle of its state.
constexpr Duration silence_max = std::chrono::seconds(60);

state::SnapshotSummary inspect(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        throw Failure(Code::NotFound, "cannot read " + file + ": is it a file that is there?");
    }
    try {
        return state::read_snapshot(
            in, [](const state::SnapshotHeader&) {}, [](const state::Record&) {});
    } catch (const Failure& failure) {
        auto error = failure.error();
        throw Failure(std::move(error).with_context("while reading " + file));
    }
}

ordered_json document_of(const state::SnapshotSummary& summary, const std::string& file) {
    ordered_json document;
    document["file"] = file;
    document["format"] = 1;
    document["schema"] = summary.header.schema;
    document["cluster"] = summary.header.cluster;
    document["epoch"] = summary.header.epoch;
    document["takenAt"] = format_wall_time(summary.header.taken_at);
    document["build"] = summary.header.build;
    document["bytes"] = summary.bytes;
    document["sha256"] = summary.sha256;
    document["verified"] = true;
    auto& records = document["records"] = ordered_json::object();
    for (const auto table : state::tables) {
        const auto found = summary.records.find(table);
        records[std::string(state::to_string(table))] =
            found == summary.records.end() ? 0 : found->second;
    }
    return document;
}

/// Prints the document in the form that `-o` asked for; false when people read: nothing then.
bool print_for_programs(Terminal& terminal, const ordered_json& document) {
    if (terminal.for_people()) {
        return false;
    }
    print_document(terminal, dump_json(document, 2), {document.at("file").get<std::string>()});
    return true;
}

void print_summary(std::ostream& out, const state::SnapshotSummary& summary) {
    const auto& header = summary.header;
    out << "cluster  " << printable(header.cluster) << "\n"
        << "taken    " << format_wall_time(header.taken_at) << " by methos-master "
        << printable(header.build) << "\n"
        << "epoch    " << header.epoch << ", schema " << header.schema << "\n"
        << "sha256   " << summary.sha256 << "\n"
        << "size     " << format_bytes(static_cast<std::int64_t>(summary.bytes))
        << ", every checksum verified\n"
        << "records ";
    for (const auto& [table, count] : summary.records) {
        out << ' ' << state::to_string(table) << '=' << count;
    }
    out << "\n";
}

/// What came over the wire, verified.
state::SnapshotSummary download(Session& session, PartialFile& file) {
    session.master.stream(
        "/methos/v1/snapshot",
        "application/octet-stream",
        "take a snapshot",
        [&file](const StreamPiece& piece) {
            file.write(piece.bytes);
            return true;
        },
        silence_max);
    try {
        return inspect(file.partial_path());
    } catch (const Failure& failure) {
        if (failure.code() != Code::InvalidInput) {
            throw;
        }
        throw Failure(Code::Protocol,
                      "what the master at " + session.master.target().url +
                          " sent cannot be kept: " + failure.error().message);
    }
}

} // namespace

int run_snapshot_save(Session& session, const std::string& file) {
    PartialFile partial(file);
    const auto summary = download(session, partial);
    partial.finish();
    if (!print_for_programs(session.terminal, document_of(summary, file))) {
        session.terminal.out << "saved " << printable(file) << "\n";
        print_summary(session.terminal.out, summary);
    }
    return exit_code::done;
}

int run_snapshot_inspect(Terminal& terminal, const std::string& file) {
    const auto summary = inspect(file);
    if (!print_for_programs(terminal, document_of(summary, file))) {
        print_summary(terminal.out, summary);
    }
    return exit_code::done;
}

int run_snapshot_restore(Terminal& terminal, const SnapshotRestoreOptions& options) {
    state::RestoreOptions wanted;
    wanted.file = options.file;
    wanted.data_dir = options.data_dir;
    wanted.force = options.force;
    wanted.now = SystemClock().now().wall;
    const auto restored = state::restore_snapshot(wanted);
    auto document = document_of(restored.snapshot, options.file);
    document["dataDir"] = options.data_dir;
    document["nextEpoch"] = restored.epoch + 1;
    document["kept"] = restored.kept;
    if (!restored.has_bus_key) {
        terminal.err << "methos: " << printable(options.data_dir)
                     << " has no bus.key: copy bus.key and admin.token of the cluster there before "
                        "the master starts, or every host has to join anew\n";
    }
    if (print_for_programs(terminal, document)) {
        return exit_code::done;
    }
    terminal.out << "restored " << printable(options.data_dir) << " from "
                 << printable(options.file) << "\n";
    print_summary(terminal.out, restored.snapshot);
    if (!restored.kept.empty()) {
        terminal.out << "kept     the state before as " << printable(restored.kept) << "\n";
    }
    terminal.out << "The next start of methos-master on it begins epoch " << restored.epoch + 1
                 << "; tasks that it does not know end 60 s after their host joined.\n";
    return exit_code::done;
}

} // namespace methos::cli
