// The master's side of the bus: sessions open and end, and what comes on them goes to the heart.
#include "tests/simulation/master.hpp"

#include <algorithm>
#include <span>

namespace methos::simulation {

namespace {

constexpr std::size_t slice = 3; ///< small, so that inventories come in parts

} // namespace

void ModelMaster::send(SessionNumber session, Frame frame) {
    if (const auto found = connection_of_.find(session); found != connection_of_.end()) {
        frame.session = session;
        frame.epoch = heart_->cluster().epoch();
        network_.send(found->second, Towards::Host, std::move(frame), trace_.now.mono);
    }
}

void ModelMaster::forget(ConnectionId id) {
    if (const auto found = session_of_.find(id); found != session_of_.end()) {
        connection_of_.erase(found->second);
        session_of_.erase(found);
    }
}

void ModelMaster::refuse(ConnectionId id) {
    forget(id);
    Frame refused;
    refused.kind = Kind::Refused;
    network_.send(id, Towards::Host, std::move(refused), trace_.now.mono);
}

void ModelMaster::open(ConnectionId id, const Frame& hello) {
    constexpr unsigned counter_bits = 32;
    const SessionNumber session((heart_->cluster().epoch() << counter_bits) | ++sessions_opened_);
    session_of_[id] = session;
    connection_of_[session] = id;
    apply([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().host_joined(session, hello.info, "key", step);
    });
}

void ModelMaster::take(ConnectionId id, const Frame& frame) {
    const auto found = session_of_.find(id);
    if (frame.kind == Kind::Hello) {
        if (refusing_) {
            refuse(id);
        } else {
            open(id, frame);
        }
        return;
    }
    if (frame.kind == Kind::Closed) {
        network_.close(id, Towards::Host, trace_.now.mono);
        if (found != session_of_.end()) {
            const auto session = found->second;
            forget(id);
            apply([&](heart::Heart& heart, cluster::Step& step) {
                heart.cluster().connection_closed(session, step);
            });
        }
        return;
    }
    const bool known = found != session_of_.end() && found->second == frame.session &&
                       frame.epoch == heart_->cluster().epoch() &&
                       heart_->cluster().find_host(frame.session) != nullptr;
    if (!known) {
        refuse(id);
        return;
    }
    hear(frame.session, frame);
}

void ModelMaster::hear(SessionNumber session, const Frame& frame) {
    heart_->heard(session, now());
    if (frame.kind == Kind::Beat) {
        send(session, Frame());
    } else if (frame.kind == Kind::Host) {
        apply([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().host_changed(session, frame.info, step);
        });
    } else if (frame.kind == Kind::Goodbye) {
        apply([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().goodbye(session, frame.grace, step);
        });
    } else {
        for (const auto& status : frame.statuses) {
            heard_[{session,
                    status.number.value,
                    status.number.empty() ? status.name.value : "",
                    status.stamp}] = status.state;
        }
        const std::span<const TaskStatus> all(frame.statuses);
        std::size_t at = 0;
        bool taken = true;
        do {
            const auto part = all.subspan(at, std::min(all.size() - at, slice));
            const bool last = at + part.size() == all.size();
            taken = apply([&](heart::Heart& heart, cluster::Step& step) {
                auto& cluster = heart.cluster();
                at += frame.kind == Kind::Inventory ? cluster.inventory(session, part, last, step)
                                                    : cluster.statuses(session, part, step);
            });
        } while (taken && at < all.size());
    }
}

} // namespace methos::simulation
