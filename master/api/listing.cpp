#include "master/api/listing.hpp"

#include <boost/asio/post.hpp>

namespace methos::master {

namespace {

/// Printed in one turn of the loop: about a millisecond of work.
constexpr std::size_t piece_bytes = 32UL * 1024;
constexpr std::size_t looks_max = 2000;

/// The first piece, which has been printed already, and then the rest.
class Begun final : public http::BodyReader {
  public:
    Begun(std::string first, std::shared_ptr<http::BodyReader> rest)
        : first_(std::move(first)), rest_(std::move(rest)) {}

    awaitable<std::optional<std::string>> read() override {
        if (!first_.empty()) {
            co_return std::exchange(first_, std::string());
        }
        co_return co_await rest_->read();
    }

  private:
    std::string first_;
    std::shared_ptr<http::BodyReader> rest_;
};

} // namespace

Listing& Listing::text(std::string text) {
    parts_.push_back({std::move(text), nullptr, false});
    return *this;
}

Listing& Listing::items(Next next) {
    parts_.push_back({std::string(), std::move(next), false});
    return *this;
}

/// What one turn of the loop prints; may be nothing before the end.
std::string Listing::print() {
    std::string out;
    std::string item;
    for (std::size_t looks = 0; looks < looks_max && out.size() < piece_bytes; ++looks) {
        if (parts_.empty()) {
            break;
        }
        auto& part = parts_.front();
        if (!part.next) {
            out += part.text;
            parts_.pop_front();
            continue;
        }
        item.clear();
        const bool more = part.next(item);
        if (!item.empty()) {
            out += part.begun ? "," : "";
            out += item;
            part.begun = true;
        }
        if (!more) {
            parts_.pop_front();
        }
    }
    return out;
}

awaitable<std::optional<std::string>> Listing::read() {
    while (!parts_.empty()) {
        auto piece = print();
        co_await shell_.committed();
        co_await asio::post(asio::use_awaitable); // others have their turn before the next piece
        if (!piece.empty()) {
            co_return piece;
        }
    }
    co_return std::nullopt;
}

awaitable<http::Response> Listing::answer(std::shared_ptr<Listing> listing) {
    auto first = co_await listing->read();
    http::Response response(200, "application/json", first.value_or(""));
    if (!listing->parts_.empty()) {
        response.stream = std::make_shared<Begun>(std::move(response.body), listing);
        response.body.clear();
    }
    co_return response;
}

} // namespace methos::master
