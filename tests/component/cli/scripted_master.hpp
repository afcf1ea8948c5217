// A master that answers what a test says, on a real HTTP server with a loop and a thread of its
// own, and a helper that runs the command line against it in this process. Every call needs the
// token "secret".
#pragma once

#include "cli/program.hpp"
#include "core/http/server.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace methos::test {

class ScriptedMaster {
  public:
    using Reply = std::function<http::Response(const http::Request&)>;

    ScriptedMaster();
    ScriptedMaster(const ScriptedMaster&) = delete;
    ScriptedMaster& operator=(const ScriptedMaster&) = delete;
    ~ScriptedMaster();

    /// "127.0.0.1:41234"
    [[nodiscard]] const std::string& address() const;

    /// `call` is "GET /v2/apps", without the query. What is not told is answered 404.
    void answer(const std::string& call, int status, const std::string& body);
    void answer(const std::string& call, Reply reply);

    /// One after another, the last one for ever: 200 with that body.
    void answer_in_turn(const std::string& call, std::vector<std::string> bodies);

    /// "PUT /v2/apps/demo?x=y {body}", as they came.
    [[nodiscard]] std::vector<std::string> requests() const;

    /// Those that change something.
    [[nodiscard]] std::vector<std::string> changes() const;

    /// Returns when at least so many requests of that call have come.
    void wait_for(const std::string& call, std::size_t count) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// What a streamed body does after its last piece.
enum class Ending { Whole, Broken, StaysOpen };

/// A body of these pieces.
[[nodiscard]] http::Response streamed(const std::string& content_type,
                                      std::vector<std::string> pieces,
                                      Ending ending = Ending::Whole);

struct CliRun {
    int code = -1;
    std::string out;
    std::string err;
};

struct CliOptions {
    std::map<std::string, std::string> environment;
    std::string input;
    Duration settle_time = std::chrono::seconds(10);
    Duration answer_limit = std::chrono::seconds(10);
};

/// Runs `methos` with these arguments in this process; waiting commands look every few
/// milliseconds.
[[nodiscard]] CliRun run_methos(const std::string& url,
                                const std::vector<std::string>& arguments,
                                const CliOptions& options = CliOptions());

} // namespace methos::test
