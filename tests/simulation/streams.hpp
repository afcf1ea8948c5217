// What the master tells foreign frameworks, as their connections carry it: one stream for each
// subscription, as master/api's SchedulerStreams keep them. Whatever is told is checked against
// what is durable: an update is stored before it is seen, comes in order, and is forgotten only
// when its framework has acknowledged it; offers that somebody may hold fit beside what runs.
#pragma once

#include "master/frameworks/external/external.hpp"
#include "master/state/store.hpp"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace methos::simulation {

class Streams {
  public:
    using Records = std::map<std::pair<state::Table, std::uint64_t>, std::string>;

    struct Stream {
        external::StreamNumber number;                ///< none when the master knows it no more
        std::deque<external::EventBody> events;       ///< that its framework has yet to read
        bool ended = false;                           ///< nothing more comes
        std::map<OfferNumber, cluster::Offer> offers; ///< that the framework may hold
    };

    using Handle = std::shared_ptr<Stream>;

    // ---- a framework's side
    Handle open(external::StreamNumber number);

    /// Its offers are not the framework's any more: it has answered them.
    static void answered(const Handle& stream, OfferNumber offer) { stream->offers.erase(offer); }

    void acknowledged(const std::string& uuid) { acknowledged_.insert(uuid); }

    /// The master has noticed that nobody listens any more.
    void forget(const Handle& stream);

    // ---- the master's side
    /// The process is gone, or reads its state anew.
    void cut_all();
    /// Throws Violation when an update is taken back before it was acknowledged.
    void write(const state::Batch& changes);
    /// Leaves for its stream. Throws Violation when it is not durable, or out of order.
    void publish(const external::Event& event);
    /// After all of a commit's publications. Throws Violation when what is offered is in use.
    void check_offers(const Records& records, const cluster::Cluster& cluster);

  private:
    /// A stored update, and all that a task's framework was told of it.
    struct StoredUpdate {
        std::uint64_t place = 0; ///< among all that were ever stored
        std::uint64_t task = 0;  ///< key of its record
    };

    struct Told {
        std::uint64_t last_place = 0;
        bool over = false;
    };

    void write_update(std::uint64_t key, const std::string& bytes);
    void erase_update(std::uint64_t key);
    void check_update(const external::Update& update);

    std::map<external::StreamNumber, Handle> streams_;
    std::set<std::string> acknowledged_;
    std::set<std::uint64_t> ended_frameworks_;            ///< keys of their records
    std::map<std::uint64_t, std::uint64_t> framework_of_; ///< of each stored task
    std::map<std::uint64_t, std::string> stored_;         ///< uuid of each stored update, by key
    std::map<std::string, StoredUpdate> updates_;         ///< every one that was ever stored
    std::set<std::string> seen_;
    std::map<std::uint64_t, Told> told_; ///< by task
    std::uint64_t last_place_ = 0;
    bool offers_changed_ = false;
};

} // namespace methos::simulation
