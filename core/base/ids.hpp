// Names of things, each a type of its own so that a host id cannot be passed where a task id is
// meant. Text ids are what people and APIs see; number ids live inside one cluster's state and on
// the bus.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace methos {

template <class Tag>
struct TextId {
    std::string value;

    TextId() = default;

    explicit TextId(std::string text) : value(std::move(text)) {}

    [[nodiscard]] bool empty() const noexcept { return value.empty(); }

    friend auto operator<=>(const TextId&, const TextId&) = default;
    friend bool operator==(const TextId&, const TextId&) = default;
};

template <class Tag>
struct NumberId {
    std::uint64_t value = 0; ///< 0 means "none"

    NumberId() = default;

    explicit constexpr NumberId(std::uint64_t number) : value(number) {}

    [[nodiscard]] bool empty() const noexcept { return value == 0; }

    friend auto operator<=>(const NumberId&, const NumberId&) = default;
    friend bool operator==(const NumberId&, const NumberId&) = default;
};

using HostId = TextId<struct HostIdTag>; ///< random, kept by the executor
using TaskName =
    TextId<struct TaskNameTag>;        ///< `grp_app.instance-<uuid>._app.1`: what everybody sees
using AppId = TextId<struct AppIdTag>; ///< absolute path, `/group/app`
using RequestId = TextId<struct RequestIdTag>; ///< X-Request-Id of the call that caused a thing

using TaskNumber = NumberId<struct TaskNumberTag>;
using SpecNumber = NumberId<struct SpecNumberTag>; ///< one version of what is to run
using HostNumber = NumberId<struct HostNumberTag>;
using OfferNumber = NumberId<struct OfferNumberTag>;
using SessionNumber = NumberId<struct SessionNumberTag>;

/// `n` bytes from the kernel's random source as lower-case hex. Throws Failure(Internal) when there
/// are none.
[[nodiscard]] std::string random_hex(std::size_t bytes);

/// A random version-4 UUID: "b6ff1234-...".
[[nodiscard]] std::string random_uuid();

} // namespace methos

template <class Tag>
struct std::hash<methos::TextId<Tag>> {
    std::size_t operator()(const methos::TextId<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.value);
    }
};

template <class Tag>
struct std::hash<methos::NumberId<Tag>> {
    std::size_t operator()(const methos::NumberId<Tag>& id) const noexcept {
        return std::hash<std::uint64_t>{}(id.value);
    }
};
