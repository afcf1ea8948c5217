// What Docker's own life says of a container's end, beside its exit code: whether somebody had
// dockerd send the container a signal, and since when this dockerd listens. A dockerd without
// live-restore stops its containers when it ends, and those that a killed one left when it starts;
// both look like any end with code 137 or 143, or with whatever a program makes of SIGTERM
// (docs/executor.md, no. 28). Owned by the TaskRunner; the lifecycle judges. No I/O.
#pragma once

#include "executor/tasks/container_facts.hpp"

#include <cstddef>
#include <map>
#include <string>

namespace methos::executor {

class StopWitness {
  public:
    /// A dockerd was reached that listens since then; epoch when that is not known.
    void docker_listens_since(WallTime since) { docker_since_ = since; }

    /// An event says that dockerd sent the container a signal.
    void signalled(const std::string& container_id, WallTime at);

    /// The container was removed.
    void forget(const std::string& container_id) { signalled_.erase(container_id); }

    /// Puts what is known into what inspect has just said.
    void testify(ContainerFacts& facts) const;

    static constexpr std::size_t containers_max = 10'000; ///< then the oldest signal is forgotten

  private:
    WallTime docker_since_;
    std::map<std::string, WallTime> signalled_; ///< the last one, by container id
};

} // namespace methos::executor
