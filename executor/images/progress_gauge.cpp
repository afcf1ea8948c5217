#include "executor/images/progress_gauge.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

constexpr int percent_max = 100;

/// A layer whose size is not known yet is taken to be as big as the others are on average. Layers
/// that are here already are told first, and say nothing of how much is still to come.
int percent_of(const docker::PullProgress& progress) {
    const auto fetched = progress.layers_sized + progress.layers_unsized;
    if (progress.bytes_total <= 0 || fetched <= 0) {
        return 0;
    }
    const auto share = static_cast<double>(progress.bytes_done) /
                       static_cast<double>(progress.bytes_total) * progress.layers_sized / fetched;
    return std::clamp(static_cast<int>(share * percent_max), 0, percent_max - 1);
}

} // namespace

void ProgressGauge::take(const docker::PullProgress& progress) {
    shown_.bytes_total = std::max(shown_.bytes_total, progress.bytes_total);
    shown_.bytes_done =
        std::min(std::max(shown_.bytes_done, progress.bytes_done), shown_.bytes_total);
    shown_.layers_total = std::max(shown_.layers_total, progress.layers_total);
    shown_.layers_done =
        std::min(std::max(shown_.layers_done, progress.layers_done), shown_.layers_total);
    shown_.percent = std::max(shown_.percent, percent_of(progress));
}

std::string ProgressGauge::to_string() const {
    docker::PullProgress shown;
    shown.bytes_done = shown_.bytes_done;
    shown.bytes_total = shown_.bytes_total;
    shown.layers_done = shown_.layers_done;
    shown.layers_total = shown_.layers_total;
    return shown.to_string();
}

} // namespace methos::executor
