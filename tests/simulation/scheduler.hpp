// A foreign framework of a simulation: it subscribes, wants some tasks to run, and does what
// frameworks do and should not: acknowledges late or wrongly, holds offers, accepts what it no
// longer has, uses ids again, goes away, is taken over by another self, tears itself down. What it
// believes is what its stream told it; in the end that must be the truth.
#pragma once

#include "tests/simulation/master.hpp"
#include "tests/simulation/streams.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace methos::simulation {

class Scheduler {
  public:
    Scheduler(std::size_t index,
              ModelMaster& master,
              Streams& streams,
              Random& random,
              const Trace& trace);

    void turn();
    /// No more mischief: from now on it wants its tasks to run, and nothing else; or it leaves.
    void calm_down();

    /// How many tasks of its must run.
    [[nodiscard]] std::size_t wanted() const { return leaves_ ? 0 : target_; }

    /// The frameworks it was, and is not any more: nothing may be left of them.
    [[nodiscard]] const std::set<external::FrameworkId>& over() const { return over_; }

    /// What is not as it should be; empty when all is.
    [[nodiscard]] std::string unsettled() const;

  private:
    /// A task as it was told of it.
    struct Task {
        HostId agent;
        TaskState state = TaskState::Staging;
        bool killed = false; ///< KILL was called
        MonoTime kill_again{};
        bool ended = false;  ///< its end was told, to be acknowledged
        bool reused = false; ///< the id was another task's before

        [[nodiscard]] bool over() const {
            return is_terminal(state) || state == TaskState::Unknown;
        }

        [[nodiscard]] bool counts() const {
            return !over() && !killed && state != TaskState::Unreachable;
        }
    };

    struct Acknowledgement {
        MonoTime at{};
        external::Acknowledge call;
    };

    struct HeldOffer {
        cluster::Offer offer;
        HostId agent;
    };

    using Held = std::map<OfferNumber, HeldOffer>;

    // scheduler.cpp: its session, and what it hears
    void begin_life();
    void end_life();
    void subscribe();
    void refused(const external::Refusal& refusal);
    void hang_up();
    void tell_of_hung_up();
    void read();
    void hear(const external::EventBody& body);
    void hear(const external::Offers& offers);
    void hear(const external::Update& update);
    void acknowledge(const external::Update& update);
    void acknowledge_due();
    void reconcile();
    [[nodiscard]] std::string mistaken_about(const external::ForeignFramework& framework) const;
    /// False when the call could not be made.
    bool call(external::CallBody body);

    // scheduler_moves.cpp: what it does
    void keep_target();
    void kill(const std::string& id, Task& task);
    void answer_offers();
    void launch_from(const HeldOffer& first, std::size_t count);
    void accept(const std::vector<OfferNumber>& offers, std::vector<external::TaskRequest> tasks);
    void decline(OfferNumber offer);
    [[nodiscard]] external::TaskRequest make_request(const std::string& id, const HostId& agent);
    void take_ports(PortSet& ports, external::TaskRequest& request);
    [[nodiscard]] std::string new_id();
    [[nodiscard]] std::optional<std::string> some_task(bool over);
    [[nodiscard]] std::size_t count() const;
    void mischief();
    void launch_what_must_not_run(std::uint64_t way);
    void use_an_id_again(bool of_one_that_is_over);
    void call_in_vain();
    void change_itself();

    std::size_t index_;
    ModelMaster& master_;
    Streams& streams_;
    Random& random_;
    const Trace& trace_;

    external::FrameworkInfo info_; ///< its id is empty before the first subscription of a life
    std::size_t target_ = 0;
    std::uint64_t acknowledge_ms_max_ = 0;
    bool calm_ = false;
    bool leaves_ = false;
    bool torn_down_ = false;
    std::set<external::FrameworkId> over_;

    Streams::Handle stream_;
    bool asking_ = false; ///< a SUBSCRIBE is open
    MonoTime subscribe_at_{};
    MonoTime away_since_{};
    std::deque<std::pair<MonoTime, Streams::Handle>> hung_up_; ///< when the master notices
    Held offers_;
    std::map<std::string, Task> tasks_;
    std::deque<Acknowledgement> to_acknowledge_;
    MonoTime reconcile_at_{};
    MonoTime revive_at_{};
    std::uint64_t ids_ = 0;
};

} // namespace methos::simulation
