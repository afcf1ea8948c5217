// Whether Docker's disk is too full for new tasks: it is below a mark of free space, until twice as
// much is free again. Fed by the collector with what the kernel says; measures nothing itself.
// Pure.
#pragma once

#include "core/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace methos::executor {

/// One file system, as statvfs tells it. All zero: not known.
struct DiskSpace {
    std::int64_t total_bytes = 0;
    std::int64_t free_bytes = 0;  ///< without what is kept for root
    std::int64_t files_total = 0; ///< inodes; 0 where the file system has no such limit
    std::int64_t files_free = 0;
};

/// --disk-watermark: how much of the disk has to be free.
struct DiskWatermark {
    enum class Kind : std::uint8_t {
        Default, ///< a twentieth, at least 1 GiB and at most 10 GiB, but never over a quarter
        Percent,
        Bytes,
        Off,
    };
    Kind kind = Kind::Default;
    std::int64_t amount = 0; ///< of Percent and Bytes

    /// In bytes; 0: none.
    [[nodiscard]] std::int64_t of(std::int64_t total_bytes) const;

    friend bool operator==(const DiskWatermark&, const DiskWatermark&) = default;
};

/// "5%", "2GiB", "off"; empty: the default. Errors: InvalidInput, in a sentence.
[[nodiscard]] Result<DiskWatermark> parse_disk_watermark(std::string_view text);

class DiskGauge {
  public:
    explicit DiskGauge(DiskWatermark mark) : mark_(mark) {}

    /// `where` is the folder that people know the disk by. True when trouble() is another now. A
    /// disk that could not be measured changes nothing.
    bool saw(const DiskSpace& space, const std::string& where);

    /// Why no new tasks are taken, in words that stay the same until it is over; empty: they are.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }

    /// Less than twice the mark is free: what nobody needs should go.
    [[nodiscard]] bool wants_room() const { return wants_room_; }

  private:
    DiskWatermark mark_;
    std::string trouble_;
    bool wants_room_ = false;
};

} // namespace methos::executor
