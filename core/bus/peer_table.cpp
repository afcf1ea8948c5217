#include "core/bus/peer_table.hpp"

#include <cstdint>
#include <utility>

namespace methos::bus {

namespace {

/// An automatic routing id is a zero byte and a big-endian counter that starts anywhere and wraps.
std::uint32_t counter_of(const PeerId& peer) {
    std::uint32_t number = 0;
    for (std::size_t at = 1; at < peer.size(); ++at) {
        number = (number << 8U) | static_cast<unsigned char>(peer[at]);
    }
    return number;
}

bool is_older(const PeerId& a, const PeerId& b) {
    return static_cast<std::int32_t>(counter_of(a) - counter_of(b)) < 0;
}

} // namespace

void PeerTable::accepted(int descriptor) {
    disconnected(descriptor); // nothing, unless ZeroMQ kept an end from us
    holders_[descriptor] = std::nullopt;
}

void PeerTable::disconnected(int descriptor) {
    const auto found = holders_.find(descriptor);
    if (found == holders_.end()) {
        return;
    }
    if (found->second) {
        closed_.push_back(std::move(*found->second));
    }
    holders_.erase(found);
}

void PeerTable::add(const PeerId& peer, int descriptor, std::string ip) {
    peers_.emplace(peer, std::move(ip));
    if (descriptor < 0) {
        return;
    }
    const auto found = holders_.find(descriptor);
    if (found == holders_.end()) { // it ended before its first frame was read
        closed_.push_back(peer);
        return;
    }
    auto& holder = found->second;
    if (holder && is_older(peer, *holder)) {
        closed_.push_back(peer);
        return;
    }
    if (holder) {
        closed_.push_back(std::move(*holder));
    }
    holder = peer;
}

std::optional<PeerId> PeerTable::take_closed() {
    if (closed_.empty()) {
        return std::nullopt;
    }
    auto peer = std::move(closed_.front());
    closed_.pop_front();
    peers_.erase(peer);
    return peer;
}

std::string PeerTable::ip_of(const PeerId& peer) const {
    const auto found = peers_.find(peer);
    return found == peers_.end() ? std::string() : found->second;
}

} // namespace methos::bus
