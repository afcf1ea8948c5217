// The Docker Engine API (1.41 to 1.52) over its Unix socket, as typed calls. Owned by whoever needs
// an Engine; lives on one loop. It keeps nothing but the negotiated version: no retries, no caches,
// no opinion about tasks. What the Engine answers is a value, also when it refuses (Answer); no
// answer at all is a thrown Failure (Unavailable, Timeout, Protocol, ResourceExhausted, Cancelled),
// and then the outcome is unknown: the Engine goes on with what it was told. Ask by name.
//
// Every call has a deadline of its class (EngineLimits) and may be cancelled; that closes the
// connection. The version is negotiated before the first call and again after the Engine was
// replaced behind our back (each answer names its version).
#pragma once

#include "core/http/client.hpp"
#include "executor/docker/fault.hpp"
#include "executor/docker/values.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace methos::docker {

/// How long each class of call may take. Streams are bounded by what their caller does with them.
struct EngineLimits {
    Duration connect = std::chrono::seconds(2);
    Duration ping = std::chrono::seconds(2);
    Duration inspect = std::chrono::seconds(10); ///< also list, info, version, kill, tag
    Duration create = std::chrono::seconds(60);
    Duration start = std::chrono::seconds(120);
    Duration stop_beyond_grace = std::chrono::seconds(30);
    Duration remove = std::chrono::seconds(120);
    Duration image_remove = std::chrono::seconds(300);
    Duration image_load = std::chrono::seconds(600);
    Duration stream_open = std::chrono::seconds(10); ///< until the head of logs and events is there
};

/// "registry-1.docker.io" and who we are there.
struct RegistryAuth {
    std::string server;
    std::string username;
    std::string password;
    std::string identity_token; ///< instead of username and password
};

/// When a pull is given up. `stall` counts only while the Engine says things that are no progress
/// ("Retrying in 5 seconds"); `quiet` while it says nothing (a big layer is being unpacked).
struct PullLimits {
    Duration stall = std::chrono::seconds(120);
    Duration quiet = std::chrono::minutes(5);
    std::optional<Duration> total;
};

struct PullRequest {
    std::string image; ///< without tag: "127.0.0.1:5000/docker.io/library/nginx"
    std::string tag;   ///< "1.25" or "sha256:..."; empty: latest
    std::optional<RegistryAuth> auth;
    std::string platform; ///< "linux/arm64"; empty: the host's
    PullLimits limits;

    /// "image:tag" or "image@sha256:...".
    [[nodiscard]] std::string reference() const;
};

struct PulledImage {
    ImageInfo image;     ///< from inspect after the pull: it is really there
    std::string digest;  ///< of the manifest, as the stream told; may be empty
    bool is_new = false; ///< a layer of it was not on this host before
};

using PullObserver = std::function<void(const PullProgress&)>;

struct EventQuery {
    UnixNanos since = 0; ///< 0: from now on. The Engine keeps 256 events and loses them at restart
    UnixNanos until = 0; ///< 0: for ever; past: the stream ends with what the Engine has kept
    std::vector<std::string> types;                          ///< empty: all
    std::vector<std::string> actions;                        ///< empty: all
    std::vector<std::pair<std::string, std::string>> labels; ///< all must match
};

/// Events as they come. Read without pause: the Engine drops events of readers that fall behind.
class EventStream {
  public:
    EventStream() = default;
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;
    virtual ~EventStream() = default;
    /// The next event; nothing when the Engine ended the stream. Throws Failure when it was cut or
    /// broke the protocol. In every case: connect again, then list.
    [[nodiscard]] virtual awaitable<std::optional<Event>> next() = 0;
};

struct LogQuery {
    bool out = true;
    bool err = true;
    bool follow = false;
    bool timestamps = true; ///< each line (and each 16 KiB part of one) starts with its time
    UnixNanos since = 0;    ///< 0: from the beginning. Inclusive
    UnixNanos until = 0;    ///< 0: no end
    std::optional<std::int64_t> tail; ///< none: all
};

struct ListQuery {
    std::vector<std::pair<std::string, std::string>>
        labels; ///< all must match; an empty value: any
    bool running_only = false;
};

enum class StartOutcome { Started, AlreadyRunning };
enum class StopOutcome { Stopped, WasNotRunning, NoSuchContainer };
enum class KillOutcome { Killed, WasNotRunning, NoSuchContainer };
enum class RemoveOutcome { Removed, NoSuchContainer, InProgress };
enum class ImageRemoveOutcome { Removed, NoSuchImage, InUse };

struct ExecResult {
    int exit_code = 0;
    std::string output; ///< stdout and stderr, cut at ExecRequest::output_bytes_max
};

struct ExecRequest {
    std::vector<std::string> command;
    std::vector<std::pair<std::string, std::string>> environment;
    std::string user;
    std::string working_dir;
    Duration limit = std::chrono::seconds(20);     ///< then Failure(Timeout); the process lives on,
    std::function<void(std::int64_t pid)> overdue; ///< and this is told which it is, if it can be
    std::size_t output_bytes_max = 4096;
};

/// The path of "unix:///var/run/docker.sock" or of a plain absolute path.
/// Errors: InvalidInput when it is another scheme, relative, or longer than 107 bytes.
[[nodiscard]] Result<std::string> parse_socket_address(const std::string& text);

class Engine {
  public:
    /// `client` must outlive the engine. Throws Failure(InvalidInput) when the path is not one.
    Engine(http::Client& client, std::string socket_path, EngineLimits limits = EngineLimits());
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    [[nodiscard]] const std::string& socket_path() const noexcept;

    /// Asks for the version and keeps what both speak. Throws Failure(Unimplemented) with a
    /// sentence when the Engine is too old or too new.
    [[nodiscard]] awaitable<EngineVersion> negotiate();
    /// What the last negotiation found; nothing before, and after an answer that showed another
    /// Engine.
    [[nodiscard]] const std::optional<EngineVersion>& version() const noexcept;
    /// On a connection of its own. Throws when the Engine does not answer: Unavailable when it
    /// takes no connections.
    [[nodiscard]] awaitable<void> ping();
    [[nodiscard]] awaitable<EngineInfo> info();
    /// After the daemon was seen to go away: do not trust kept connections, ask for the version.
    void forget_connections();

    // ---- images
    [[nodiscard]] awaitable<Answer<ImageInfo>> inspect_image(std::string reference);
    /// Pulls and then inspects. Errors, besides the Engine's: Retryable when the limits were hit
    /// ("no progress for 2m"). Cancelling stops the pull, unless another client pulls the same.
    [[nodiscard]] awaitable<Answer<PulledImage>> pull(PullRequest request, PullObserver observer);
    [[nodiscard]] awaitable<Answer<void>>
    tag_image(std::string source, std::string repository, std::string tag);
    /// With `force` an image in use is untagged and stays for who uses it.
    [[nodiscard]] awaitable<Answer<ImageRemoveOutcome>> remove_image(std::string reference,
                                                                     bool force);
    /// A `docker save` archive. The answer is the Engine's words: "Loaded image: a:1".
    [[nodiscard]] awaitable<Answer<std::string>> load_image(std::shared_ptr<http::BodyReader> tar);
    /// A plain file system as an image of one layer. `changes`: Dockerfile lines ("CMD [...]").
    /// The answer is the image id.
    [[nodiscard]] awaitable<Answer<std::string>>
    import_image(std::shared_ptr<http::BodyReader> tar,
                 const std::string& repository,
                 const std::string& tag,
                 const std::vector<std::string>& changes);

    // ---- containers; `container` is an id or a name
    /// Idempotent only by its name: NameConflict says who has it.
    [[nodiscard]] awaitable<Answer<CreatedContainer>> create_container(ContainerConfig config,
                                                                       std::string name);
    /// Starting an exited container runs it a second time: look at its status before repeating.
    [[nodiscard]] awaitable<Answer<StartOutcome>> start_container(std::string container);
    /// SIGTERM (or the container's stop signal), then SIGKILL after `grace` (whole seconds,
    /// rounded up). Returns when it is dead.
    [[nodiscard]] awaitable<Answer<StopOutcome>> stop_container(std::string container,
                                                                Duration grace);
    [[nodiscard]] awaitable<Answer<KillOutcome>> kill_container(std::string container,
                                                                std::string signal);
    /// Also anonymous volumes. `force`: kills it first.
    [[nodiscard]] awaitable<Answer<RemoveOutcome>> remove_container(std::string container,
                                                                    bool force);
    [[nodiscard]] awaitable<Answer<ContainerState>> inspect_container(std::string container);
    [[nodiscard]] awaitable<std::vector<ContainerSummary>> list_containers(ListQuery query);
    /// Runs a command in a running container and waits for its end.
    [[nodiscard]] awaitable<Answer<ExecResult>> exec(std::string container, ExecRequest request);

    // ---- streams
    /// The Engine subscribes a moment after this returns: `since` a little ago leaves no gap.
    [[nodiscard]] awaitable<std::unique_ptr<EventStream>> events(EventQuery query);
    /// The raw bytes: frames, or with a tty the plain text. executor/streams reads them.
    [[nodiscard]] awaitable<Answer<std::shared_ptr<http::BodyReader>>> logs(std::string container,
                                                                            LogQuery query);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace methos::docker
