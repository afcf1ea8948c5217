// Foreign frameworks: who is subscribed, what they are offered, the updates they have yet to
// acknowledge. Pure, like the cluster it works on; their JSON is read and printed in definition/,
// their connections are master/api's. Owned by heart::Heart.
//
// What is durable: each framework (so that it may come back after a restart of the master), and
// each status update until it is acknowledged. Offers and connections are not.
#pragma once

#include "master/cluster/cluster.hpp"
#include "master/frameworks/external/messages.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace methos::external {

/// Why a call was not taken: an HTTP status and a sentence.
struct Refusal {
    int status = 400;
    std::string message;
};

struct Limits {
    Duration failover_timeout_max = std::chrono::hours(24 * 365);
    Duration update_retry_min = std::chrono::seconds(10);
    Duration update_retry_max = std::chrono::minutes(10);
    std::size_t frameworks_max = 10'000; ///< connected, or waited for
    std::size_t unacknowledged_max =
        100'000; ///< updates of one framework; then it launches nothing
    std::size_t completed_frameworks_max = 50; ///< remembered for GET_FRAMEWORKS, as Mesos does
    std::size_t completed_tasks_max = 1'000;   ///< per framework
};

/// What a SUBSCRIBE came to.
struct Subscription {
    FrameworkId framework;
    StreamNumber stream;
};

class External {
  public:
    External(cluster::Cluster& cluster, Limits limits);

    // --- calls
    // ---------------------------------------------------------------------------------------
    /// A first subscription (no id), a framework that comes back, or one that takes over from its
    /// other self, whose stream then gets ERROR "Framework failed over". The first event of the new
    /// stream is Subscribed. Errors: 400 for an unusable FrameworkInfo, 403 for an id that was torn
    /// down or has failed over long ago, or that belongs to another principal.
    [[nodiscard]] std::variant<Subscription, Refusal>
    subscribe(const Subscribe& call, const std::string& principal, cluster::Step& step);
    /// Any other call, on the stream it came for. Errors: 400 for a stream that is not the
    /// framework's current one, 403 for a framework that is not subscribed.
    [[nodiscard]] std::optional<Refusal>
    call(const Call& call, StreamNumber stream, cluster::Step& step);
    /// The stream's connection is gone, or was too slow to keep.
    void disconnected(StreamNumber stream, cluster::Step& step);
    /// Deadlines (failover, updates to repeat) and launches that did not fit into one step.
    void decide(cluster::Step& step);
};

} // namespace methos::external
