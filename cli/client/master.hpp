// The master as the commands see it: one call at a time, each returns when its answer is there. A
// command line does one thing after another, so the loop lives in master.cpp and commands are plain
// functions. SIGINT and SIGTERM end whatever call or pause is under way with Failure(Cancelled).
#pragma once

#include "cli/client/target.hpp"
#include "core/base/clock.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::cli {

struct Answer {
    int status = 0;
    std::string content_type;
    std::string body;
};

/// Some bytes of an endless answer.
struct StreamPiece {
    std::string content_type; ///< of the whole answer
    std::string bytes;
};

/// Whether the process's own signals are watched; tests that share a process leave them alone.
enum class Interrupts { Watch, Ignore };

class Master {
  public:
    explicit Master(Target target,
                    Interrupts interrupts = Interrupts::Watch,
                    Duration answer_limit = std::chrono::seconds(10));
    Master(const Master&) = delete;
    Master& operator=(const Master&) = delete;
    ~Master();

    [[nodiscard]] const Target& target() const noexcept;

    /// Any status is an answer. Throws Failure(Unavailable) with what to do when none comes,
    /// Failure(Protocol) when it is cut short or no HTTP, Failure(Cancelled) after a signal.
    [[nodiscard]] Answer
    send(const std::string& method, const std::string& path, const std::string& body = "");

    /// As send, and every status of 400 and above is thrown as the Failure that says what the
    /// master said. `what` completes "cannot ...": "scale /demo".
    [[nodiscard]] Answer call(const std::string& method,
                              const std::string& path,
                              const std::string& what,
                              const std::string& body = "");

    /// call("GET"), and nothing when the answer is 404.
    [[nodiscard]] std::optional<Answer> find(const std::string& path, const std::string& what);

    /// Reads an endless answer piece by piece until it ends or `on_piece` returns false. Throws as
    /// call; Failure(Unavailable) when it breaks off in the middle, or is silent for longer than
    /// `silence_max`; none: an endless answer may be silent as long as it likes. With a `body`
    /// (JSON) it is a POST.
    void stream(const std::string& path,
                const std::string& accept,
                const std::string& what,
                const std::function<bool(const StreamPiece&)>& on_piece,
                std::optional<Duration> silence_max = std::nullopt,
                const std::optional<std::string>& body = std::nullopt);

    /// From now on no call takes longer than until then (or its own limit, whichever is sooner).
    void set_deadline(MonoTime deadline);

    /// Waits. Throws Failure(Cancelled) after a signal.
    void pause(Duration duration);

    /// The app ids the master knows, as advice after a 404; empty when it cannot be asked.
    [[nodiscard]] std::vector<std::string> app_ids() noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The document of an answer. Throws Failure(Protocol) naming `what` and the place when it is none.
[[nodiscard]] nlohmann::ordered_json parse_answer(const Answer& answer, const std::string& what);

/// What an answer of 400 and above means: the master's own words (Marathon's and /methos/v1's
/// shapes, or the first line of anything else), and what to do next. Pure.
[[nodiscard]] Error
error_of_answer(const Answer& answer, const std::string& what, const Target& target);

} // namespace methos::cli
