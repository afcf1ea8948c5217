// The file in the data directory that remembers which images this executor has brought, and when
// each was used last: the one thing about images that Docker cannot tell (docs/adr/0006). Losing it
// loses no image; what it does not name is nobody's of ours and stays. Owned by the collector.
// Blocks for the writing of a small file.
#pragma once

#include "core/base/error.hpp"
#include "executor/collect/image_keeper.hpp"

#include <string>

namespace methos::executor {

class ImageLedger {
  public:
    /// In `data_dir`, which must exist when something is saved.
    explicit ImageLedger(const std::string& data_dir);

    /// Nothing where there is no file. Errors: InvalidInput when it is damaged, Internal when it
    /// cannot be read.
    [[nodiscard]] Result<KeptImages> load() const;
    /// Writes what differs from what was loaded or saved last; the old file stays until the new one
    /// is whole. Errors: Internal.
    [[nodiscard]] Result<void> save(const KeptImages& images);

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
    KeptImages saved_;
};

} // namespace methos::executor
