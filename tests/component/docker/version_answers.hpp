// Answers of Docker Engines of each API version from 1.40 to 1.53 to the same questions about the
// same things, as far as the change table of the Engine's API (its changelog) says how they differ:
// what moved, what is null or absent, what is gone. Written down as the oldest version's answers
// and a merge patch (RFC 7386) for each later one.
#pragma once

#include "executor/docker/values.hpp"

#include <string>
#include <vector>

namespace methos::test {

struct VersionAnswers {
    docker::ApiVersion api;
    docker::ApiVersion api_min;
    std::string engine; ///< "20.10.24"

    // Bodies, JSON.
    std::string version;
    std::string info;
    std::string image;    ///< demo:1, 4000000 bytes, /bin/sh, port 80
    std::string untagged; ///< an image without a name
    std::string bare;     ///< an image that sets nothing
    std::string runs;     ///< demo.1's container, 172.17.0.2, port 80 at the host's 31001
    std::string never_started;
    std::string list;          ///< of the one that runs
    std::string event;         ///< its end with exit code 137
    std::string pull_progress; ///< a line: 512 of 1024 bytes
    std::string pull_error;    ///< a line: "manifest unknown"
};

/// In their order.
[[nodiscard]] std::vector<VersionAnswers> version_answers();

} // namespace methos::test
