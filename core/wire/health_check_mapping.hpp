// A spec's health checks (bus.proto) to and from model values. Used by mapping.cpp only.
#pragma once

#include "core/model/health_check.hpp"
#include "core/wire/check.hpp"

#include <vector>

namespace methos::wire {

void write_health_checks(const std::vector<methos::HealthCheck>& checks, TaskSpec& out);
/// What is wrong goes to `check`.
[[nodiscard]] std::vector<methos::HealthCheck> read_health_checks(Check& check, const TaskSpec& in);

} // namespace methos::wire
