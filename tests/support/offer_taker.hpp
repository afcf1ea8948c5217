// A framework with classic offers, played by hand: it holds what it is offered until the test says
// what to do with it.
#pragma once

#include "master/cluster/cluster.hpp"

#include <map>
#include <string>
#include <vector>

namespace methos::test {

class OfferTaker final : public cluster::Framework {
  public:
    explicit OfferTaker(std::string name) : name_(std::move(name)) {}

    [[nodiscard]] const std::string& name() const override { return name_; }

    void launched(const cluster::Task& task, cluster::Step& /*step*/) override {
        tasks.push_back(task.number);
    }

    void task_changed(const cluster::Task& task,
                      TaskState /*before*/,
                      cluster::Step& /*step*/) override {
        states[task.number] = task.state();
    }

    void offers_made(const std::vector<const cluster::Offer*>& made,
                     cluster::Step& /*step*/) override {
        for (const auto* offer : made) {
            offers.emplace(offer->number, *offer);
            ++offered;
        }
    }

    void offer_rescinded(const cluster::Offer& offer, cluster::Step& /*step*/) override {
        offers.erase(offer.number);
        ++rescinded;
    }

    void host_lost(const cluster::Host& host, cluster::Step& /*step*/) override {
        lost.push_back(host.number);
    }

    static cluster::FrameworkTerms classic(std::vector<std::string> roles = {"*"}) {
        cluster::FrameworkTerms terms;
        terms.roles = std::move(roles);
        terms.classic = true;
        return terms;
    }

    std::map<OfferNumber, cluster::Offer> offers; ///< held
    std::size_t offered = 0;
    std::size_t rescinded = 0;
    std::vector<TaskNumber> tasks;
    std::map<TaskNumber, TaskState> states;
    std::vector<HostNumber> lost;

  private:
    std::string name_;
};

} // namespace methos::test
