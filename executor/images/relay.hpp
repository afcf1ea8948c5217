// A loopback port that pipes TCP bytes to a registry proxy elsewhere: dockerd trusts plain http
// only from 127.0.0.0/8, so the executor lends it such an address. Bytes only; it reads nothing of
// what passes. Loop thread only.
#pragma once

#include "core/base/units.hpp"
#include "core/runtime/async.hpp"

#include <memory>
#include <string>

namespace methos::executor {

class LoopbackRelay {
  public:
    /// Listens on 127.0.0.1 at a free port. Throws Failure(Unavailable) when it cannot.
    LoopbackRelay(asio::any_io_executor executor, HostPort target);
    LoopbackRelay(const LoopbackRelay&) = delete;
    LoopbackRelay& operator=(const LoopbackRelay&) = delete;
    ~LoopbackRelay();

    /// "127.0.0.1:41233"
    [[nodiscard]] const std::string& address() const;

    /// Accepts until stop(). Run it once.
    void start();
    /// Closes everything and returns when it is closed.
    [[nodiscard]] awaitable<> stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Whether dockerd trusts this host with plain http: "localhost", "127.x.y.z".
[[nodiscard]] bool is_loopback(const std::string& host);

} // namespace methos::executor
