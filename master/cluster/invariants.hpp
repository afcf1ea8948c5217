// How a broken promise of the heart is reported: loudly, and by ending the process, before anything
// that follows from it is seen. For checks that tests and the simulation ask for after every step.
#pragma once

#include <string>

namespace methos::cluster {

/// Prints what does not hold and aborts.
[[noreturn]] void invariant_broken(const std::string& what);

} // namespace methos::cluster
