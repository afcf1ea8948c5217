// One executor per host identity. Two with one identity would take turns at the master and run each
// other's tasks, so whoever starts claims the data directory and then the host id; the kernel gives
// both back when the process ends, however it ends. Knows nothing of Docker and the master.
#pragma once

#include "core/base/error.hpp"
#include "core/base/ids.hpp"

#include <string>

namespace methos::executor {

/// Held until it is destroyed.
class HostClaim {
  public:
    HostClaim() = default;
    HostClaim(HostClaim&& other) noexcept;
    HostClaim& operator=(HostClaim&& other) noexcept;
    ~HostClaim();

    /// Makes the folder when it is missing. Throws Failure: Conflict (another executor uses it),
    /// Internal (it cannot be made or written), both naming it.
    [[nodiscard]] static HostClaim of_data_dir(const std::string& data_dir);

    /// Throws Failure(Conflict) when another executor in this network namespace runs as this host,
    /// as with a copied data directory.
    [[nodiscard]] static HostClaim of_host(const HostId& id, const std::string& data_dir);

  private:
    explicit HostClaim(int descriptor) : descriptor_(descriptor) {}

    int descriptor_ = -1;
};

/// Whether an executor runs as this host in this network namespace.
[[nodiscard]] bool is_claimed(const HostId& id);

} // namespace methos::executor
