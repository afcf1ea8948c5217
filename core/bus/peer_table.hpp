// Which peer's connection has ended: pairs the monitor's ACCEPTED and DISCONNECTED descriptors with
// the peers whose frames came over them. Pure; BusServer's. Descriptors are reused at once, and
// events and frames arrive on two queues, so each rule here is about order:
// - Events are in order per descriptor: accepted, disconnected, accepted, ...
// - Before a peer is added, all events have been read; its own ACCEPTED is among them. So every
//   later DISCONNECTED of its descriptor means it or somebody after it: it is gone.
// - ROUTER ids of one descriptor grow with time: a peer added with a lower id than the one that
//   holds the descriptor is an older one whose frames were late, and is gone.
#pragma once

#include "core/bus/bus.hpp"

#include <deque>
#include <optional>
#include <unordered_map>

namespace methos::bus {

class PeerTable {
  public:
    void accepted(int descriptor);
    void disconnected(int descriptor);

    /// Added and not yet taken as closed.
    [[nodiscard]] bool knows(const PeerId& peer) const { return peers_.contains(peer); }

    /// A peer's first frame came over `descriptor` (-1: unknown).
    void add(const PeerId& peer, int descriptor, std::string ip);

    /// The next peer that is gone, in order; it is forgotten.
    [[nodiscard]] std::optional<PeerId> take_closed();

    [[nodiscard]] std::string ip_of(const PeerId& peer) const;

  private:
    std::unordered_map<PeerId, std::string> peers_; ///< to their IPs; closed ones until taken
    std::unordered_map<int, std::optional<PeerId>> holders_; ///< of each open descriptor
    std::deque<PeerId> closed_;
};

} // namespace methos::bus
