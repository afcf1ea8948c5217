// A set of TCP/UDP port numbers as sorted, disjoint, inclusive ranges: "[31000-32000,33000-33000]".
// A value.
#pragma once

#include "core/base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace methos {

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0; ///< inclusive
    friend bool operator==(const PortRange&, const PortRange&) = default;
};

class PortSet {
  public:
    PortSet() = default;

    explicit PortSet(PortRange range) { insert(range); }

    void insert(PortRange range);

    void insert(std::uint16_t port) { insert(PortRange{port, port}); }

    /// Takes a port out; false when it was not in the set.
    bool erase(std::uint16_t port);

    [[nodiscard]] bool contains(std::uint16_t port) const;

    [[nodiscard]] bool empty() const { return ranges_.empty(); }

    [[nodiscard]] std::size_t count() const;
    /// The lowest port that is >= `from`.
    [[nodiscard]] std::optional<std::uint16_t> first_from(std::uint16_t from) const;

    [[nodiscard]] const std::vector<PortRange>& ranges() const { return ranges_; }

    friend bool operator==(const PortSet&, const PortSet&) = default;

  private:
    std::vector<PortRange> ranges_;
};

/// Reads "[31000-32000,33000]"; brackets are optional. Errors: InvalidInput with the offending
/// part.
[[nodiscard]] Result<PortSet> parse_ports(std::string_view text);
[[nodiscard]] std::string format_ports(const PortSet& ports);

} // namespace methos
