// From the body of a POST to /api/v1/scheduler to a Call, or to the sentence that is answered with
// 400. Pure. What is wrong with one task of a LAUNCH is no error of the call: that task ends in
// TASK_ERROR (TaskRequest::invalid), as in Mesos.
#pragma once

#include "core/base/error.hpp"
#include "master/frameworks/external/messages.hpp"

#include <cstddef>
#include <string>

namespace methos::external {

constexpr std::size_t call_bytes_max = std::size_t{4} * 1024 * 1024;
constexpr int call_nesting_max = 64;
constexpr std::size_t call_values_max = 500'000; ///< of all kinds; a task has some 100
constexpr std::size_t task_info_bytes_max =
    std::size_t{128} * 1024; ///< task, spec and definition fit one batch together

/// Reads JSON of outside origin: size, nesting and number of values are bounded, a field that comes
/// twice is refused. Errors: InvalidInput; the message says where, in Mesos's words where it has
/// some.
[[nodiscard]] Result<Call> read_call(const std::string& body);

} // namespace methos::external
