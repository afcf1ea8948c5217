// What a task wants downloaded before it starts: Marathon's `fetch`, Mesos's CommandInfo.URI. Part
// of a TaskSpec. Pure values; who downloads is executor/fetch, who understands the frameworks'
// words for it are the master's frameworks.
#pragma once

#include <cstddef>
#include <string>

namespace methos {

constexpr std::size_t fetch_items_max = 100; ///< of one spec

/// One thing to download into the task's sandbox.
struct FetchItem {
    std::string uri;         ///< may hold user info and a query: not for logs
    std::string output_file; ///< path in the sandbox; empty: as the URI's path ends
    bool extract = true;     ///< unpacked where its name is an archive's
    bool executable = false; ///< made executable instead of being unpacked
    bool cache = false;      ///< kept and shown; every task downloads its own
    friend bool operator==(const FetchItem&, const FetchItem&) = default;
};

} // namespace methos
