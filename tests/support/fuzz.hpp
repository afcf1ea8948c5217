// What a fuzz target has. Under GCC fuzz_main.cpp drives it: corpus files, the target's own seeds,
// and seeded mutations of both; in the clang build libFuzzer does (with -fsanitize=fuzzer and
// without fuzz_main.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// One input. Returns 0; a fault is a crash, an assertion or a sanitizer's report.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace methos::fuzz {

/// Valid inputs to begin from.
[[nodiscard]] std::vector<std::string> seed_inputs();

} // namespace methos::fuzz
