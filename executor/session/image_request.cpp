#include "executor/session/image_request.hpp"

#include "core/wire/mapping.hpp"

#include <memory>

namespace methos::executor {

namespace {

Code code_of(Reason reason) {
    switch (reason) {
    case Reason::ImageNotFound:
        return Code::NotFound;
    case Reason::InvalidSpec:
        return Code::InvalidInput;
    default:
        return Code::Unavailable;
    }
}

struct Outcome {
    explicit Outcome(const asio::any_io_executor& executor) : known(executor) {}

    Gate known;
    std::string image_id;
    Error error;
};

/// Waits in the puller as long as it lives.
class Waiting {
  public:
    Waiting(ImagePuller& images, const ImageRequest& request, ImageWaiter waiter)
        : images_(images), who_(request.who) {
        images_.ensure(who_, request.image, request.force, std::move(waiter));
    }

    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    ~Waiting() { images_.abandon(who_); }

  private:
    ImagePuller& images_;
    std::string who_;
};

ImageWaiter waiter_of(const std::shared_ptr<Outcome>& outcome, const ReportPull& report) {
    ImageWaiter waiter;
    waiter.progress = [report](const std::string& text,
                               const std::optional<ImageProgress>& figures) {
        wire::PullReport told;
        told.set_message(wire::clean_text(text));
        if (figures) {
            wire::to_wire(*figures, *told.mutable_progress());
        }
        report(told);
    };
    waiter.ready = [outcome](std::string id) {
        outcome->image_id = std::move(id);
        outcome->known.open();
    };
    waiter.failed = [outcome](Reason reason, std::string why) {
        outcome->error = Error(code_of(reason), std::move(why));
        outcome->known.open();
    };
    return waiter;
}

} // namespace

awaitable<> bring_image(ImagePuller& images, ImageRequest request, ReportPull report) {
    const auto executor = co_await asio::this_coro::executor;
    const auto outcome = std::make_shared<Outcome>(executor);
    const Waiting waiting(images, request, waiter_of(outcome, report));
    co_await outcome->known.wait();
    if (outcome->image_id.empty()) {
        throw Failure(outcome->error);
    }
    wire::PullReport told;
    told.set_image_id(wire::clean_text(outcome->image_id, wire::name_bytes_max));
    report(told);
}

} // namespace methos::executor
