// ContainerConfig as the body of POST /containers/create. Pure.
#pragma once

#include "executor/docker/fault.hpp"
#include "executor/docker/values.hpp"

#include <string>

namespace methos::docker {

/// Linux's limits of cpu.shares.
inline constexpr std::int64_t cpu_shares_min = 2;
inline constexpr std::int64_t cpu_shares_max = 262144;

/// 1024 per cpu, within the kernel's limits.
[[nodiscard]] std::int64_t cpu_shares_of(std::int64_t cpu_milli);

/// The JSON text. Errors: BadConfig and BadMount for what the Engine would refuse with worse words
/// or take for something else.
[[nodiscard]] Answer<std::string> create_body(const ContainerConfig& config);

} // namespace methos::docker
