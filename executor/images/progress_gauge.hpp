// Makes the figures that people see out of what the Engine says of one image's pulls, which is not
// fit to be shown: sizes become known layer by layer, a download that was cut begins again, and
// another try names the layers that are here without their sizes. Owned by a pull, over all its
// tries. Pure.
#pragma once

#include "core/model/image_progress.hpp"
#include "executor/docker/values.hpp"

#include <string>

namespace methos::executor {

class ProgressGauge {
  public:
    /// Takes the state of the try that is under way. The percentage stays under 100: whoever has
    /// the image does not ask how far it is.
    void take(const docker::PullProgress& progress);

    /// All zero before the Engine has named a layer.
    [[nodiscard]] const ImageProgress& shown() const noexcept { return shown_; }

    /// "12.3/40.1 MB, 3/7 layers".
    [[nodiscard]] std::string to_string() const;

  private:
    ImageProgress shown_;
};

} // namespace methos::executor
