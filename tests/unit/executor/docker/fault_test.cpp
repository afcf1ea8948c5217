// What the Engine's refusals mean: a table of messages as dockerd, containerd, runc and registries
// word them. A wrong row would fail a task for good that should wait, or try for ever what cannot
// work.
#include "executor/docker/fault.hpp"
#include "tests/support/catch.hpp"

#include <string>

namespace methos::docker {

namespace {

struct Row {
    EngineCall call;
    int status;
    const char* message;
    EngineFault fault;
};

} // namespace

TEST_CASE("refusals are told apart by status and words") {
    const auto row = GENERATE(values<Row>({
        {EngineCall::Create, 404, "No such image: x:1", EngineFault::NoSuchImage},
        {EngineCall::Create, 404, "something new", EngineFault::NoSuchImage},
        {EngineCall::Start, 404, "No such container: abc", EngineFault::NoSuchContainer},
        {EngineCall::Start, 404, "network x not found", EngineFault::NetworkNotFound},
        {EngineCall::Create,
         400,
         "invalid mount config for type \"bind\": bind source path does not exist: /x",
         EngineFault::BadMount},
        {EngineCall::Create, 400, "Minimum memory limit allowed is 6MB", EngineFault::BadConfig},
        {EngineCall::Create,
         500,
         "json: cannot unmarshal string into Go struct field X",
         EngineFault::BadConfig},
        {EngineCall::Start,
         400,
         "OCI runtime create failed: exec: \"x\": executable file not found in $PATH: unknown",
         EngineFault::BadCommand},
        {EngineCall::Start,
         500,
         "failed to create task for container: exec: \"/x\": permission denied: unknown",
         EngineFault::BadCommand},
        // Words that the task chooses say nothing of the host.
        {EngineCall::Start,
         400,
         "OCI runtime create failed: exec: \"address already in use\": executable file not found "
         "in $PATH: unknown",
         EngineFault::BadCommand},
        {EngineCall::Create,
         400,
         "invalid mount config for type \"bind\": bind source path does not exist: /no space left "
         "on device",
         EngineFault::BadMount},
        {EngineCall::Start,
         500,
         "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:80 "
         "failed: port is already allocated",
         EngineFault::PortConflict},
        {EngineCall::Start,
         500,
         "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
         EngineFault::PortConflict},
        {EngineCall::Start,
         500,
         "could not select device driver \"nvidia\" with capabilities: [[gpu]]",
         EngineFault::NoDevice},
        {EngineCall::Start,
         500,
         "connection error: desc = \"transport: error while dialing: dial unix "
         "/run/containerd.sock: connect: connection refused\": unavailable",
         EngineFault::Retryable},
        {EngineCall::Create,
         500,
         "mkdir /var/lib/x: no space left on device",
         EngineFault::NoSpace},
        {EngineCall::Start,
         500,
         "OCI runtime create failed: unknown sysctl",
         EngineFault::BadConfig},
        {EngineCall::Start, 500, "who knows", EngineFault::Retryable},
        {EngineCall::Remove,
         409,
         "removal of container abc is already in progress",
         EngineFault::RemovalInProgress},
        {EngineCall::Kill,
         409,
         "Cannot kill container: x: Container x is not running",
         EngineFault::NotRunning},
        {EngineCall::Pull,
         404,
         "manifest for x:9 not found: manifest unknown: manifest unknown",
         EngineFault::ImageUnknown},
        {EngineCall::Pull,
         404,
         "pull access denied for x, repository does not exist or may require 'docker login'",
         EngineFault::PullDenied},
        {EngineCall::Pull,
         200,
         "toomanyrequests: You have reached your pull rate limit",
         EngineFault::Retryable},
        {EngineCall::Pull, 200, "unexpected EOF", EngineFault::Retryable},
        {EngineCall::Pull,
         500,
         "Get \"https://r/v2/\": http: server gave HTTP response to HTTPS client",
         EngineFault::Permanent},
        {EngineCall::Pull, 500, "Get \"https://r/v2/\": net/http: timeout", EngineFault::Retryable},
        {EngineCall::Pull,
         200,
         "write /var/lib/docker/tmp/x: no space left on device",
         EngineFault::NoSpace},
        {EngineCall::Pull, 400, "invalid reference format", EngineFault::BadConfig},
        {EngineCall::Other, 404, "page not found", EngineFault::Permanent},
    }));
    INFO(row.message);
    CHECK(to_string(classify(row.call, row.status, row.message).fault) == to_string(row.fault));
}

TEST_CASE("a name conflict names the holder") {
    const auto error =
        classify(EngineCall::Create,
                 409,
                 "Conflict. The container name \"/x\" is already in use by container "
                 "\"abc123\". You have to remove (or rename) it.");
    CHECK(error.fault == EngineFault::NameConflict);
    CHECK(error.holder == "abc123");
    CHECK(classify(EngineCall::Create, 409, "is already in use by container \"abc").holder.empty());
}

TEST_CASE("an Answer's value() throws the Engine's words") {
    const Answer<int> answer = classify(EngineCall::Start, 404, "No such container: abc");
    try {
        static_cast<void>(answer.value());
        FAIL("did not throw");
    } catch (const Failure& failure) {
        CHECK(failure.code() == Code::NotFound);
        CHECK(failure.error().message == "Docker: No such container: abc");
        CHECK(failure.error().cause->number == 404);
    }
}

} // namespace methos::docker
