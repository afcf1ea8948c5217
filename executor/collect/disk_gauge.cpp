#include "executor/collect/disk_gauge.hpp"

#include "core/base/units.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

constexpr std::int64_t gibibyte = 1LL << 30;
constexpr std::int64_t percent_max = 50; // twice of it has to be possible
constexpr std::int64_t files_share = 50; // a fiftieth of the inodes has to be free

/// Twice the mark, or half of what is above it where that is less: it can be reached on any disk.
std::int64_t enough(std::int64_t mark, std::int64_t total) {
    return std::min(2 * mark, mark + std::max<std::int64_t>(0, total - mark) / 2);
}

} // namespace

std::int64_t DiskWatermark::of(std::int64_t total_bytes) const {
    switch (kind) {
    case Kind::Default:
        return std::min(std::clamp(total_bytes / 20, gibibyte, 10 * gibibyte), total_bytes / 4);
    case Kind::Percent:
        return total_bytes / 100 * amount;
    case Kind::Bytes:
        return amount;
    case Kind::Off:
        return 0;
    }
    return 0;
}

Result<DiskWatermark> parse_disk_watermark(std::string_view text) {
    if (text.empty()) {
        return DiskWatermark();
    }
    if (text == "off") {
        return DiskWatermark{DiskWatermark::Kind::Off, 0};
    }
    if (text.back() == '%') {
        const auto percent = parse_int(text.substr(0, text.size() - 1), 1, percent_max);
        if (!percent) {
            return Error(Code::InvalidInput, "a share must be 1% to 50%");
        }
        return DiskWatermark{DiskWatermark::Kind::Percent, *percent};
    }
    const auto bytes = parse_bytes(text);
    if (!bytes || *bytes == 0 || *bytes > (1LL << 60)) {
        return Error(Code::InvalidInput, "must be a share such as 5%, a size such as 2GiB, or off");
    }
    return DiskWatermark{DiskWatermark::Kind::Bytes, *bytes};
}

bool DiskGauge::saw(const DiskSpace& space, const std::string& where) {
    if (space.total_bytes <= 0 || mark_.kind == DiskWatermark::Kind::Off) {
        return false;
    }
    const auto mark = mark_.of(space.total_bytes);
    const auto enough_bytes = enough(mark, space.total_bytes);
    const auto files_mark = space.files_total / files_share;
    const bool is_low = space.free_bytes < mark;
    const bool files_low = space.files_total > 0 && space.files_free < files_mark;
    wants_room_ = space.free_bytes < enough_bytes ||
                  (space.files_total > 0 && space.files_free < 2 * files_mark);
    if (trouble_.empty() && is_low) {
        trouble_ = "the disk of " + where + " is nearly full: " + format_bytes(space.free_bytes) +
                   " of " + format_bytes(space.total_bytes) + " free, and " +
                   format_bytes(enough_bytes) + " are wanted";
        return true;
    }
    if (trouble_.empty() && files_low) {
        trouble_ = "the disk of " + where +
                   " is nearly out of inodes: " + std::to_string(space.files_free) + " of " +
                   std::to_string(space.files_total) + " free, and " +
                   std::to_string(2 * files_mark) + " are wanted";
        return true;
    }
    if (!trouble_.empty() && !wants_room_) {
        trouble_.clear();
        return true;
    }
    return false;
}

} // namespace methos::executor
