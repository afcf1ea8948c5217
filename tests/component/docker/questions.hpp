// Every typed call of the Engine client as a question with a known answer, for tests that damage
// the answer on its way. Before each time the fake Engine gets its subject, new and in the state
// that the question wants.
#pragma once

#include "tests/component/docker/bench.hpp"

#include <optional>
#include <string>
#include <vector>

namespace methos::test {

struct Question {
    const char* name;
    const char* call;                            ///< whose answer is to be damaged
    awaitable<std::string> (*ask)(EngineBench&); ///< what the client made of it, in words
    docker::ContainerStatus subject_is = docker::ContainerStatus::Running;
    bool in_chunks = false; ///< answers that do not flow: with a length, or in chunks
};

/// Makes the bench's fake Engine ready for it.
void set_up(EngineBench& bench, const Question& question);

/// With a length, in chunks, and two that flow.
[[nodiscard]] const std::vector<Question>& one_of_each_shape();
[[nodiscard]] const std::vector<Question>& the_others();
/// Runs a command that says "hello" and ends with 3; asks in three calls, of which this is the one
/// that has the output.
[[nodiscard]] Question output_question();

/// What came of it.
struct Outcome {
    std::optional<std::string> value;
    Error error{Code::Internal, "none"};
};

/// Asks, with the next answer to the question's call as `fault` makes it.
[[nodiscard]] Outcome ask_damaged(EngineBench& bench, const Question& question, FakeFault fault);

} // namespace methos::test
