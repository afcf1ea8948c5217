// A foreign framework's seat at the cluster's table: what the cluster tells it goes on to class
// External, with its name. Owned by ForeignFramework.
#pragma once

#include "master/frameworks/external/external.hpp"

#include <string>
#include <vector>

namespace methos::external {

class FrameworkSeat final : public cluster::Framework {
  public:
    FrameworkSeat(External& external, FrameworkId id) : external_(external), id_(std::move(id)) {}

    [[nodiscard]] const std::string& name() const override { return id_.value; }

    void launched(const cluster::Task&, cluster::Step&) override {} // External asked for it

    void task_changed(const cluster::Task& task, TaskState before, cluster::Step& step) override {
        external_.task_changed(id_, task, before, step);
    }

    void offers_made(const std::vector<const cluster::Offer*>& offers,
                     cluster::Step& step) override {
        external_.offers_made(id_, offers, step);
    }

    void offer_rescinded(const cluster::Offer& offer, cluster::Step& step) override {
        external_.offer_rescinded(id_, offer, step);
    }

    void host_lost(const cluster::Host& host, cluster::Step& step) override {
        external_.host_lost(id_, host, step);
    }

  private:
    External& external_;
    FrameworkId id_;
};

} // namespace methos::external
