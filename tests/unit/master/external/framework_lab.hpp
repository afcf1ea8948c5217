// A HeartLab with foreign frameworks: calls made by hand, events sorted by the stream they are for.
// Used by this folder's tests only.
#pragma once

#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

#include <chrono>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace methos::test {

using namespace std::chrono_literals;

class FrameworkLab : public HeartLab {
  public:
    using HeartLab::HeartLab;

    /// Connections end with a master, and its stream numbers begin anew.
    void kill_and_restart() {
        (void)take_published();
        events_.clear();
        HeartLab::kill_and_restart();
    }

    external::External& external() { return heart().external(); }

    static external::FrameworkInfo info(const std::string& name) {
        external::FrameworkInfo info;
        info.name = name;
        info.user = "root";
        info.roles = {"*"};
        info.failover_timeout = 60s;
        info.capabilities = {"PARTITION_AWARE"};
        return info;
    }

    std::variant<external::Subscription, external::Refusal>
    try_subscribe(const external::FrameworkInfo& info, const std::string& principal = "p") {
        std::variant<external::Subscription, external::Refusal> result;
        external::Subscribe call;
        call.info = info;
        step([&](heart::Heart& heart, cluster::Step& s) {
            result = heart.external().subscribe(call, principal, s);
        });
        return result;
    }

    external::Subscription subscribe(const external::FrameworkInfo& info) {
        const auto result = try_subscribe(info);
        if (const auto* refusal = std::get_if<external::Refusal>(&result)) {
            FAIL(refusal->message);
        }
        return std::get<external::Subscription>(result);
    }

    external::Subscription resubscribe(const external::Subscription& before) {
        auto again = external().find(before.framework)->info;
        return subscribe(again);
    }

    std::optional<external::Refusal> call(const external::Subscription& from,
                                          external::CallBody body) {
        std::optional<external::Refusal> refusal;
        const external::Call call{from.framework, std::move(body)};
        step([&](heart::Heart& heart, cluster::Step& s) {
            refusal = heart.external().call(call, from.stream, s);
        });
        return refusal;
    }

    void disconnect(const external::Subscription& from) {
        step([&](heart::Heart& heart, cluster::Step& s) {
            heart.external().disconnected(from.stream, s);
        });
    }

    /// The events of one kind that a stream got since they were taken last.
    template <class Body>
    std::vector<Body> take(const external::Subscription& to) {
        sort_events();
        std::vector<Body> taken;
        std::vector<external::EventBody> kept;
        for (auto& body : events_[to.stream]) {
            if (auto* wanted = std::get_if<Body>(&body)) {
                taken.push_back(std::move(*wanted));
            } else {
                kept.push_back(std::move(body));
            }
        }
        events_[to.stream] = std::move(kept);
        return taken;
    }

    /// The next of the kind; it has to be there.
    template <class Body>
    Body take_one(const external::Subscription& to) {
        const auto taken = take<Body>(to);
        REQUIRE(taken.size() == 1);
        return taken.front();
    }

    std::vector<cluster::Offer> take_offers(const external::Subscription& to) {
        std::vector<cluster::Offer> offers;
        for (const auto& event : take<external::Offers>(to)) {
            offers.insert(offers.end(), event.offers.begin(), event.offers.end());
        }
        return offers;
    }

    cluster::Offer take_offer(const external::Subscription& to) {
        const auto offers = take_offers(to);
        REQUIRE(offers.size() == 1);
        return offers.front();
    }

    std::string id_of(const cluster::Offer& offer) {
        return external::offer_id(cluster().epoch(), offer.number);
    }

    static external::TaskRequest request(const std::string& id, const std::string& host = "a") {
        external::TaskRequest request;
        request.task_id = id;
        request.name = id;
        request.agent_id = HostId("id-" + host);
        request.spec.image = "busybox";
        request.spec.resources = {100, 32 * bytes_per_mb, 0, 0};
        request.env = {{"NAME", id}};
        request.definition = R"({"name":")" + id + R"("})";
        return request;
    }

    std::optional<external::Refusal> launch(const external::Subscription& from,
                                            const cluster::Offer& offer,
                                            std::vector<external::TaskRequest> requests) {
        external::Accept accept;
        accept.offer_ids = {id_of(offer)};
        accept.launches = std::move(requests);
        accept.refuse = Duration::zero();
        return call(from, std::move(accept));
    }

    void acknowledge(const external::Subscription& from, const external::Update& update) {
        REQUIRE_FALSE(
            call(from, external::Acknowledge{update.agent_id, update.task_id, update.uuid}));
    }

    /// The cluster's task of that name.
    cluster::Task task(const std::string& name) {
        const auto* found = cluster().find_task(TaskName(name));
        REQUIRE(found != nullptr);
        return *found;
    }

    /// Names of ended tasks are free again.
    void let_names_rest() {
        advance(external::TaskNames::rest);
        decide();
    }

    [[nodiscard]] std::size_t records_in(state::Table table) const {
        std::size_t count = 0;
        for (const auto& [place, value] : records()) {
            count += place.first == table ? 1U : 0U;
        }
        return count;
    }

  private:
    void sort_events() {
        for (const auto& publication : take_published()) {
            if (const auto* event = dynamic_cast<const external::Event*>(publication.get())) {
                events_[event->stream].push_back(event->body);
            }
        }
    }

    std::map<external::StreamNumber, std::vector<external::EventBody>> events_;
};

} // namespace methos::test
