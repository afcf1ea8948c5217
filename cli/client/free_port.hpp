// A free TCP port of the loopback address, for daemons that `methos dev` starts.
#pragma once

#include <cstdint>
#include <string>

namespace methos::cli {

/// Keeps the port from others until it is destroyed: several that live together differ.
class FreePort {
  public:
    /// The wished one where it is free, else any. Throws Failure(ResourceExhausted) when there is
    /// none.
    explicit FreePort(std::uint16_t wished);
    FreePort(const FreePort&) = delete;
    FreePort& operator=(const FreePort&) = delete;
    ~FreePort();

    /// "127.0.0.1:8080"
    [[nodiscard]] std::string address() const;

  private:
    bool bind_to(std::uint16_t port);

    int socket_;
    std::uint16_t port_ = 0;
};

} // namespace methos::cli
