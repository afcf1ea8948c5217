#include "core/base/backoff.hpp"

#include <memory>
#include <random>

namespace methos {

Backoff::Uniform system_uniform() {
    auto engine = std::make_shared<std::minstd_rand>(std::random_device{}());
    return [engine] { return std::uniform_real_distribution<double>(0.0, 1.0)(*engine); };
}

} // namespace methos
