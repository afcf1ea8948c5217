// Who may push: callers on this machine, and whoever gives a user and password of the --push-auth
// file. Pure.
#pragma once

#include "core/base/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace methos::proxy {

class PushGuard {
  public:
    /// Without users: only callers on loopback.
    PushGuard() = default;

    /// Reads lines of `user:password`; blank lines and those starting with # are left out.
    /// Errors: InvalidInput with the line's number.
    [[nodiscard]] static Result<PushGuard> parse(std::string_view file);

    /// Errors: Unauthorized (credentials would help), Forbidden (they would not).
    [[nodiscard]] Result<void> check(const std::string& remote_address,
                                     const std::optional<std::string>& authorization) const;

    /// Whether remote callers are asked for a password at all.
    [[nodiscard]] bool has_users() const noexcept { return !users_.empty(); }

  private:
    std::map<std::string, std::string> users_;
};

} // namespace methos::proxy
