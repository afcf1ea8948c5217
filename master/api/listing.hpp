// A long JSON document, printed piece by piece while it is sent, so that a large cluster's state
// neither holds up the loop nor stands in memory as a whole. Each piece is durable before it
// leaves; two pieces may show different instants. Loop thread only.
#pragma once

#include "core/http/server.hpp"
#include "master/shell/shell.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace methos::master {

class Listing final : public http::BodyReader {
  public:
    /// Appends one item to `out`; nothing when what it looked at is none. False: there is no more.
    using Next = std::function<bool(std::string& out)>;

    explicit Listing(Shell& shell) : shell_(shell) {}

    /// Verbatim text.
    Listing& text(std::string text);
    /// Items with commas between them. `next` finds its place in the heart again at each call: the
    /// heart may have changed, or be another one.
    Listing& items(Next next);

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;

    /// The whole document: with its length when it is small, streamed otherwise.
    [[nodiscard]] static awaitable<http::Response> answer(std::shared_ptr<Listing> listing);

  private:
    [[nodiscard]] std::string print();

    struct Part {
        std::string text;
        Next next;          ///< empty: text
        bool begun = false; ///< an item was printed
    };

    Shell& shell_;
    std::deque<Part> parts_;
};

/// Goes through an ordered map from the heart by key, however it changes between two calls.
template <class Key>
class Cursor {
  public:
    /// The entry after the last one that was returned; null at the end.
    template <class Map>
    const typename Map::value_type* next(const Map& map) {
        const auto found = begun_ ? map.upper_bound(last_) : map.begin();
        if (found == map.end()) {
            return nullptr;
        }
        begun_ = true;
        last_ = found->first;
        return &*found;
    }

  private:
    bool begun_ = false;
    Key last_{};
};

} // namespace methos::master
