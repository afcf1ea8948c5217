#include "tests/simulation/network.hpp"

#include <algorithm>

namespace methos::simulation {

ConnectionId Network::open(std::size_t host) {
    const auto id = ++last_id_;
    connections_[id].host = host;
    return id;
}

void Network::push(Pipe& pipe, Frame frame, MonoTime now) {
    pipe.last_arrival = std::max(pipe.last_arrival, now + random_.ms(0, delay_max_ms_));
    pipe.frames.emplace_back(pipe.last_arrival, std::move(frame));
}

void Network::send(ConnectionId id, Towards side, Frame frame, MonoTime now) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
        return;
    }
    auto& pipe = pipe_of(found->second, side);
    if (pipe.closed) {
        return;
    }
    if (frame.kind == Kind::Status && random_.percent(repeats_percent_)) {
        push(pipe, frame, now);
    }
    push(pipe, std::move(frame), now);
}

void Network::break_pipe(Pipe& pipe, MonoTime now) {
    if (pipe.closed) {
        return;
    }
    // A prefix arrives: bytes are lost from the end only.
    const auto kept = static_cast<std::ptrdiff_t>(random_.below(pipe.frames.size() + 1));
    pipe.frames.erase(pipe.frames.begin() + kept, pipe.frames.end());
    Frame end;
    end.kind = Kind::Closed;
    push(pipe, std::move(end), now);
    pipe.closed = true;
}

void Network::close(ConnectionId id, Towards other_side, MonoTime now) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
        return;
    }
    auto& back =
        pipe_of(found->second, other_side == Towards::Master ? Towards::Host : Towards::Master);
    back.frames.clear();
    back.closed = back.ended = true;
    auto& pipe = pipe_of(found->second, other_side);
    break_pipe(pipe, now);
    if (pipe.ended) {
        connections_.erase(found);
    }
}

void Network::reset(ConnectionId id, MonoTime now) {
    const auto found = connections_.find(id);
    if (found != connections_.end()) {
        break_pipe(found->second.to_master, now);
        break_pipe(found->second.to_host, now);
    }
}

std::vector<ConnectionId> Network::connections() const {
    std::vector<ConnectionId> ids;
    for (const auto& [id, connection] : connections_) {
        ids.push_back(id);
    }
    return ids;
}

std::optional<Frame> Network::take(ConnectionId id, Towards side, MonoTime now) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || is_cut(found->second.host)) {
        return std::nullopt;
    }
    auto& pipe = pipe_of(found->second, side);
    if (pipe.frames.empty() || pipe.frames.front().first > now) {
        return std::nullopt;
    }
    auto frame = std::move(pipe.frames.front().second);
    pipe.frames.pop_front();
    if (frame.kind == Kind::Closed) {
        pipe.ended = true;
        if (found->second.to_master.ended && found->second.to_host.ended) {
            connections_.erase(found);
        }
    }
    return frame;
}

} // namespace methos::simulation
