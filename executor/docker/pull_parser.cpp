#include "executor/docker/pull_parser.hpp"

#include "core/base/error.hpp"
#include "executor/docker/json_access.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace methos::docker {

namespace {

/// Docker itself refuses images of more than 127 layers.
constexpr std::size_t layers_max = 1024;

struct Stage {
    std::string_view status;
    int stage;
};

constexpr int downloaded_stage = 4;
constexpr int complete_stage = 6;

/// The way of a layer. "Retrying in 5 seconds" and "Waiting" are no steps forward.
constexpr std::array<Stage, 7> stages{{{"Pulling fs layer", 1},
                                       {"Downloading", 2},
                                       {"Verifying Checksum", 3},
                                       {"Download complete", downloaded_stage},
                                       {"Extracting", 5},
                                       {"Pull complete", complete_stage},
                                       {"Already exists", complete_stage}}};

int stage_of(const std::string& status) {
    for (const auto& row : stages) {
        if (status == row.status) {
            return row.stage;
        }
    }
    return 0;
}

/// Bytes of a layer are what the registry says they are; sums of them must not overflow.
std::int64_t sane_bytes(std::int64_t bytes) {
    constexpr std::int64_t layer_bytes_max = std::int64_t{1} << 50;
    return std::clamp<std::int64_t>(bytes, 0, layer_bytes_max);
}

std::uint64_t growth(std::int64_t before, std::int64_t after) {
    return after > before ? static_cast<std::uint64_t>(after - before) : 0;
}

bool looks_the_same(const PullProgress& a, const PullProgress& b) {
    return a.bytes_done == b.bytes_done && a.bytes_total == b.bytes_total &&
           a.layers_done == b.layers_done && a.layers_total == b.layers_total &&
           a.retrying == b.retrying && a.status == b.status;
}

} // namespace

bool PullParser::take_line(const std::string& line) {
    const auto json = json_access::parse(line, "pull progress");
    const auto before = progress_;

    auto error = json_access::text(json_access::field(json, "errorDetail"), "message");
    if (error.empty()) {
        error = json_access::text(json, "error");
    }
    if (!error.empty()) {
        error_ = std::move(error);
        return false;
    }

    const auto status = json_access::text(json, "status");
    constexpr std::string_view digest_prefix = "Digest: ";
    if (status.compare(0, digest_prefix.size(), digest_prefix) == 0) {
        digest_ = status.substr(digest_prefix.size());
        return false;
    }

    constexpr std::string_view new_prefix = "Status: Downloaded newer image";
    is_new_ = is_new_ || status.compare(0, new_prefix.size(), new_prefix) == 0;

    const auto id = json_access::text(json, "id");
    const bool is_retry = status.compare(0, 8, "Retrying") == 0;
    const bool is_layer = is_retry || stage_of(status) > 0 || status == "Waiting";
    if (!id.empty() && is_layer) {
        if (layers_.size() >= layers_max && layers_.count(id) == 0) {
            throw Failure(Code::Protocol, "the pull names more than 1024 layers");
        }
        const auto& detail = json_access::field(json, "progressDetail");
        take_layer(layers_[id],
                   status,
                   sane_bytes(json_access::number(detail, "current")),
                   sane_bytes(json_access::number(detail, "total")));
    }
    progress_.status = status;
    progress_.retrying = is_retry;
    sum_up();
    return !looks_the_same(before, progress_);
}

void PullParser::take_layer(Layer& layer,
                            const std::string& status,
                            std::int64_t current,
                            std::int64_t total) {
    const int stage = stage_of(status);
    if (stage > layer.stage) {
        layer.stage = stage;
        ++progress_.work;
    }
    if (status == "Downloading") {
        progress_.work += growth(layer.download_done, current);
        layer.download_done = current; // may fall: a download that was cut begins again
        layer.download_total = std::max(total, current);
        layer.sized = total > 0;
    } else if (status == "Extracting") {
        progress_.work += growth(layer.unpack_done, current);
        layer.unpack_done = current;
    }
    if (stage >= downloaded_stage) {
        layer.download_done = layer.download_total;
        layer.sized = layer.download_total > 0;
    }
    layer.done = layer.done || stage == complete_stage;
}

void PullParser::sum_up() {
    progress_.bytes_done = 0;
    progress_.bytes_total = 0;
    progress_.layers_done = 0;
    progress_.layers_sized = 0;
    progress_.layers_unsized = 0;
    for (const auto& [id, layer] : layers_) {
        progress_.bytes_done += layer.download_done;
        progress_.bytes_total += layer.download_total;
        progress_.layers_done += layer.done ? 1 : 0;
        progress_.layers_sized += layer.sized ? 1 : 0;
        progress_.layers_unsized += !layer.sized && !layer.done ? 1 : 0;
    }
    progress_.layers_total = static_cast<int>(layers_.size());
}

bool StallWatch::is_stalled(std::uint64_t work, MonoTime now) {
    if (work > work_) {
        work_ = work;
        idle_since_.reset();
        return false;
    }
    if (!idle_since_) {
        idle_since_ = now;
    }
    return now - *idle_since_ >= limit_;
}

} // namespace methos::docker
