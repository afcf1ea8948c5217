#include "tests/simulation/streams.hpp"

#include "master/state/records.pb.h"
#include "tests/simulation/trace.hpp"

namespace methos::simulation {

// ---- streams --------------------------------------------------------------------------------
Streams::Handle Streams::open(external::StreamNumber number) {
    auto stream = std::make_shared<Stream>();
    stream->number = number;
    streams_[number] = stream;
    return stream;
}

void Streams::forget(const Handle& stream) {
    const auto found = streams_.find(stream->number);
    if (found != streams_.end() && found->second == stream) {
        streams_.erase(found);
    }
    stream->number = external::StreamNumber();
    stream->ended = true;
    stream->offers.clear();
}

void Streams::cut_all() {
    for (const auto& [number, stream] : std::exchange(streams_, {})) {
        stream->number = external::StreamNumber();
        stream->ended = true;
        stream->offers.clear();
    }
}

void Streams::publish(const external::Event& event) {
    const auto found = streams_.find(event.stream);
    if (found == streams_.end()) {
        return; // hung up meanwhile: what must not be missed is repeated on the next one
    }
    const auto stream = found->second;
    if (const auto* update = std::get_if<external::Update>(&event.body)) {
        check_update(*update);
    } else if (const auto* offers = std::get_if<external::Offers>(&event.body)) {
        for (const auto& offer : offers->offers) {
            stream->offers.emplace(offer.number, offer);
        }
        offers_changed_ = true;
    } else if (const auto* rescind = std::get_if<external::Rescind>(&event.body)) {
        stream->offers.erase(rescind->offer);
    }
    stream->events.push_back(event.body);
    if (std::holds_alternative<external::ErrorEvent>(event.body) ||
        std::holds_alternative<external::Closed>(event.body)) {
        forget(stream);
    }
}

// ---- updates --------------------------------------------------------------------------------
void Streams::write(const state::Batch& changes) {
    for (const auto& change : changes) {
        state::FrameworkRecord framework;
        if (change.table == state::Table::Framework && change.value &&
            framework.ParseFromString(*change.value) && framework.end() != 0) {
            ended_frameworks_.insert(change.key);
        }
    }
    for (const auto& change : changes) {
        if (change.table == state::Table::Update) {
            if (change.value) {
                write_update(change.key, *change.value);
            } else {
                erase_update(change.key);
            }
        }
    }
}

void Streams::write_update(std::uint64_t key, const std::string& bytes) {
    state::UpdateRecord record;
    if (!record.ParseFromString(bytes)) {
        throw Violation("a status update is stored that cannot be read");
    }
    if (record.has_task()) {
        framework_of_[key] = record.task().framework();
        told_.erase(key); // keys may be used again after a restart
    } else if (record.has_update()) {
        const auto& uuid = record.update().uuid();
        const auto before = stored_.find(key);
        if (before != stored_.end() && before->second != uuid && seen_.contains(before->second)) {
            throw Violation("an update is replaced after its framework has seen it");
        }
        stored_[key] = uuid;
        updates_[uuid] = {++last_place_, record.update().task()};
    }
}

void Streams::erase_update(std::uint64_t key) {
    const auto found = stored_.find(key);
    if (found == stored_.end()) {
        return; // a name that has rested
    }
    const auto& update = updates_.at(found->second);
    if (!acknowledged_.contains(found->second) &&
        !ended_frameworks_.contains(framework_of_.at(update.task))) {
        throw Violation("an update is forgotten that its framework has not acknowledged");
    }
    stored_.erase(found);
}

void Streams::check_update(const external::Update& update) {
    if (update.uuid.empty()) {
        return;
    }
    const auto found = updates_.find(update.uuid);
    if (found == updates_.end()) {
        throw Violation(update.task_id + " " + std::string(to_string(update.state)) +
                        " is seen by its framework and not durable");
    }
    auto& told = told_[found->second.task];
    if (found->second.place < told.last_place) {
        throw Violation("the updates of " + update.task_id + " come out of order");
    }
    if (told.over && found->second.place > told.last_place) {
        throw Violation(update.task_id + " has updates after its end");
    }
    told.last_place = found->second.place;
    told.over = is_terminal(update.state);
    seen_.insert(update.uuid);
}

// ---- offers ---------------------------------------------------------------------------------
void Streams::check_offers(const Records& records, const cluster::Cluster& cluster) {
    if (!std::exchange(offers_changed_, false)) {
        return;
    }
    std::map<HostNumber, HostResources> left;
    for (const auto& [number, host] : cluster.hosts()) {
        left[number] = host.info.resources;
    }
    for (const auto& [number, stream] : streams_) {
        for (const auto& [offer_number, offer] : stream->offers) {
            const auto place = left.find(offer.host);
            if (place == left.end()) {
                continue; // forgotten; its rescind is on its way
            }
            auto& host = place->second;
            host.scalars -= offer.resources;
            for (const auto range : offer.ports.ranges()) {
                for (unsigned port = range.first; port <= range.last; ++port) {
                    if (!host.ports.erase(static_cast<std::uint16_t>(port))) {
                        throw Violation("port " + std::to_string(port) + " is offered twice");
                    }
                }
            }
        }
    }
    for (const auto& [place, bytes] : records) {
        state::TaskRecord record;
        if (place.first != state::Table::Task || !record.ParseFromString(bytes)) {
            continue;
        }
        const auto host = left.find(HostNumber(record.host()));
        const auto spec = cluster.find_spec(SpecNumber(record.spec()));
        if (host == left.end() || !spec) {
            continue; // the heart is ahead of its records: it has forgotten them already
        }
        host->second.scalars -= spec->resources;
    }
    for (const auto& [number, rest] : left) {
        const auto* host = cluster.find_host(number);
        if (host != nullptr && rest.scalars.negative()) {
            throw Violation("of " + host->info.hostname + " more is offered than is free");
        }
    }
}

} // namespace methos::simulation
