// What passes between a foreign framework and the heart: Mesos's scheduler calls and events as
// plain values. Reading and printing their JSON is in definition/; what they mean is in
// external.hpp. Names follow Mesos's v1 scheduler.proto, so that a reader finds each there.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"
#include "master/cluster/step.hpp"
#include "master/cluster/types.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace methos::external {

using FrameworkId = TextId<struct FrameworkIdTag>; ///< given by the master at the first SUBSCRIBE

/// Mesos's FrameworkInfo.
struct FrameworkInfo {
    FrameworkId id; ///< empty: not subscribed before
    std::string name;
    std::string user;
    std::string principal;
    std::string hostname;
    std::string webui_url;
    std::vector<std::string> roles; ///< never empty: "*" when the framework names none
    Duration failover_timeout{};    ///< how long it may be away before its tasks are killed
    bool checkpoint = false;
    std::set<std::string> capabilities; ///< "PARTITION_AWARE"
    std::vector<std::pair<std::string, std::optional<std::string>>> labels;
    friend bool operator==(const FrameworkInfo&, const FrameworkInfo&) = default;

    [[nodiscard]] bool can(const std::string& capability) const {
        return capabilities.contains(capability);
    }
};

/// A TaskInfo of a LAUNCH, read as far as it can be.
struct TaskRequest {
    std::string task_id;
    HostId agent_id;
    std::string name; ///< for people; need not be unique
    TaskSpec spec;    ///< number, framework and hash are not set yet; no image: the default one
    std::vector<std::uint16_t> host_ports;
    std::map<std::string, std::string> env; ///< all of it: the spec's is empty, so that tasks that
                                            ///< differ in PORT0 share one
    std::string definition; ///< the TaskInfo as compact JSON, for GET_TASKS and GET_STATE
    std::string invalid;    ///< why it can never run; the task then ends in TASK_ERROR
    bool of_group = false;  ///< of a LAUNCH_GROUP, which is refused as a whole
};

/// An offer operation other than LAUNCH, which is answered as dropped.
struct UnsupportedOperation {
    std::string type; ///< "RESERVE"
    std::string id;   ///< empty: the framework wants no feedback
};

struct Subscribe {
    FrameworkInfo info;
    std::vector<std::string> suppressed_roles;
};

struct Teardown {};

struct Accept {
    std::vector<std::string> offer_ids;
    std::vector<TaskRequest> launches;
    std::vector<UnsupportedOperation> unsupported;
    std::optional<Duration> refuse; ///< of what is left over; absent: Mesos's 5 s
};

struct Decline {
    std::vector<std::string> offer_ids;
    std::optional<Duration> refuse;
};

struct Revive {
    std::vector<std::string> roles; ///< empty: all
};

struct Suppress {
    std::vector<std::string> roles; ///< empty: all
};

struct Kill {
    std::string task_id;
    HostId agent_id; ///< may be empty
    std::optional<Duration> grace;
};

struct Acknowledge {
    HostId agent_id;
    std::string task_id;
    std::string uuid; ///< 16 bytes
};

struct Reconcile {
    struct Asked {
        std::string task_id;
        HostId agent_id; ///< may be empty
    };

    std::vector<Asked> tasks; ///< empty: every task of the framework
};

struct ReconcileOperations {
    std::vector<std::string> operation_ids;
};

/// MESSAGE to an executor of the framework's own: Methos has none, the answer is a log line.
struct ToExecutor {
    HostId agent_id;
    std::string executor_id;
    std::string data;
};

/// What is taken and means nothing here: REQUEST (Mesos's allocator ignores it too), SHUTDOWN of an
/// executor, answers to inverse offers and acknowledgements of operations, which are never sent.
struct Ignored {
    std::string type; ///< "REQUEST"
};

struct UpdateFramework {
    FrameworkInfo info;
    std::vector<std::string> suppressed_roles;
};

using CallBody = std::variant<Subscribe,
                              Teardown,
                              Accept,
                              Decline,
                              Revive,
                              Suppress,
                              Kill,
                              Acknowledge,
                              Reconcile,
                              ReconcileOperations,
                              ToExecutor,
                              Ignored,
                              UpdateFramework>;

struct Call {
    FrameworkId framework; ///< empty in a first SUBSCRIBE only
    CallBody body;
};

/// Which subscription an event is for: a framework that subscribes anew gets a new number, so that
/// what was meant for the old connection does not reach it.
using StreamNumber = NumberId<struct StreamNumberTag>;

struct Subscribed {
    FrameworkId framework;
};

struct Offers {
    FrameworkId framework;
    std::vector<cluster::Offer> offers; ///< copies: the book may have forgotten them meanwhile
    bool multi_role = false;            ///< else the framework knows nothing of allocation_info
};

struct Rescind {
    OfferNumber offer;
};

/// A TaskStatus as its framework sees it.
struct Update {
    std::string task_id;
    HostId agent_id; ///< empty when not known
    TaskState state = TaskState::Staging;
    bool lost = false; ///< print TASK_LOST: the framework does not know the partition-aware states
    StatusSource source = StatusSource::Master;
    std::string reason; ///< "REASON_INVALID_OFFERS"; empty: none
    std::string message;
    std::string uuid; ///< 16 bytes; empty: needs no acknowledgement
    WallTime time;
    std::optional<bool> healthy;
    std::string container_id;
    std::vector<std::string> ip_addresses;
    std::optional<WallTime> unreachable_since;
};

struct Failed { ///< FAILURE: a host, with everything on it, is lost or gone
    HostId agent_id;
};

struct ErrorEvent { ///< ERROR; the subscription ends after it
    std::string message;
};

struct OperationStatus { ///< UPDATE_OPERATION_STATUS
    std::string operation_id;
    std::string state; ///< "OPERATION_DROPPED"
    std::string message;
};

/// Prints nothing: the connection ends here. ErrorEvent ends it too.
struct Closed {};

using EventBody =
    std::variant<Subscribed, Offers, Rescind, Update, Failed, ErrorEvent, OperationStatus, Closed>;

struct Event final : cluster::Publication {
    Event(StreamNumber stream_, EventBody body_) : stream(stream_), body(std::move(body_)) {}

    StreamNumber stream;
    EventBody body;
};

/// "<epoch>-O<n>": an offer of an earlier start of the master is never taken for one of this start.
[[nodiscard]] std::string offer_id(std::uint64_t epoch, OfferNumber number);
/// Errors: nullopt when it is not an offer id of this epoch.
[[nodiscard]] std::optional<OfferNumber> parse_offer_id(std::uint64_t epoch,
                                                        const std::string& text);

/// The word of Mesos's TaskStatus.Reason that comes nearest: clients that read protobuf's JSON know
/// no others. Empty where Mesos gives none.
[[nodiscard]] std::string_view mesos_reason(Reason reason);

} // namespace methos::external
