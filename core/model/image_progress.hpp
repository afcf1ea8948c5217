// How far an image is on its way to a host, in figures: from the executor's puller, over the bus,
// to whoever watches. A pure value.
#pragma once

#include <cstdint>

namespace methos {

/// No figure falls, and none is more than its total, while one task waits for one image.
struct ImageProgress {
    std::int64_t bytes_done = 0;
    std::int64_t bytes_total = 0; ///< of the layers whose sizes are known so far; 0: of none
    int percent = 0;              ///< an estimate; 100 only when it is there
    int layers_done = 0;
    int layers_total = 0; ///< 0: not known yet
    friend bool operator==(const ImageProgress&, const ImageProgress&) = default;
};

} // namespace methos
