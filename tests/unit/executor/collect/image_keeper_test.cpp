// Which images may go: by hand for the rules that people rely on, and with random histories for
// what must never happen, whatever came before.
#include "executor/collect/image_keeper.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Ids = std::vector<std::string>;

const WallTime start{std::chrono::hours(24 * 365 * 50)};

KeeperOptions hours(int delay, std::vector<std::string> pins = {}) {
    return KeeperOptions{std::chrono::hours(delay), std::move(pins)};
}

} // namespace

SCENARIO("an image that we brought goes when nobody has used it for long enough") {
    ImageKeeper keeper(hours(24), {});
    keeper.brought("sha256:a", {"nginx:1"}, true, start);
    CHECK(keeper.removable(false, start + 24h - 1ms).empty());
    CHECK(keeper.removable(false, start + 24h) == Ids{"sha256:a"});
    WHEN("a task asks for it again, the time begins anew") {
        keeper.used("sha256:a", start + 23h);
        CHECK(keeper.removable(false, start + 46h).empty());
        CHECK(keeper.removable(false, start + 47h).size() == 1);
    }
    WHEN("a container has it, it stays, and its time begins when the container is gone") {
        keeper.in_use({"sha256:a"}, start + 100h);
        CHECK_FALSE(keeper.may_remove("sha256:a", true, start + 1000h));
        keeper.in_use({}, start + 101h);
        CHECK(keeper.removable(false, start + 123h).empty());
        CHECK(keeper.removable(false, start + 124h).size() == 1);
    }
    WHEN("the disk is filling up, it goes ten minutes after its last use") {
        CHECK(keeper.removable(true, start + just_used - 1ms).empty());
        CHECK(keeper.removable(true, start + just_used).size() == 1);
    }
    WHEN("the clock is set back, that does not count as use for ever") {
        keeper.used("sha256:a", start + 9000h);
        keeper.in_use({}, start + 1h);
        CHECK(keeper.removable(false, start + 25h).size() == 1);
    }
}

SCENARIO("what somebody else brought is nobody's of ours") {
    ImageKeeper keeper(hours(0), {});
    keeper.brought("sha256:theirs", {"nginx:1"}, false, start);
    keeper.used("sha256:theirs", start);
    CHECK(keeper.images().empty());
    WHEN("an image of ours is pulled again under another name, it gets that too") {
        keeper.brought("sha256:a", {"nginx:1"}, true, start);
        keeper.brought("sha256:a", {"nginx:2"}, false, start);
        CHECK(keeper.is_ours_alone("sha256:a", {"nginx:1", "docker.io/library/nginx:2"}));
    }
}

SCENARIO("an image with a name of somebody else's is not ours alone") {
    ImageKeeper keeper(hours(0), {});
    const auto digest = "sha256:" + std::string(64, 'a');
    keeper.brought("sha256:a",
                   {"nginx:1", "127.0.0.1:5000/docker.io/library/nginx:1", "a.example:5000/b:1"},
                   true,
                   start);
    CHECK(keeper.is_ours_alone("sha256:a", {}));
    CHECK(keeper.is_ours_alone("sha256:a", {"nginx:1", "nginx@" + digest}));
    CHECK(keeper.is_ours_alone("sha256:a", {"127.0.0.1:5000/docker.io/library/nginx@" + digest}));
    CHECK(keeper.is_ours_alone("sha256:a", {"a.example:5000/b@" + digest}));
    CHECK_FALSE(keeper.is_ours_alone("sha256:a", {"nginx:1", "mine:1"}));
    CHECK_FALSE(keeper.is_ours_alone("sha256:a", {"nginx:2"}));
    CHECK_FALSE(keeper.is_ours_alone("sha256:a", {"mine@" + digest}));
    CHECK_FALSE(keeper.is_ours_alone("sha256:b", {}));
}

SCENARIO("pins keep images by the names people write") {
    const auto pin =
        GENERATE(as<std::string>(), "nginx:*", "docker.io/library/nginx:1", "*/nginx:?", "nginx:1");
    CAPTURE(pin);
    ImageKeeper keeper(hours(1, {"unrelated", pin}), {});
    keeper.brought("sha256:a", {"nginx:1"}, true, start);
    keeper.brought("sha256:b", {"a.example/app:1"}, true, start);
    CHECK(keeper.removable(true, start + 100h) == Ids{"sha256:b"});
}

SCENARIO("with off nothing goes, also when the disk is full") {
    ImageKeeper keeper(KeeperOptions{std::nullopt, {}}, {});
    keeper.brought("sha256:a", {"nginx:1"}, true, start);
    CHECK(keeper.removable(true, start + 10'000h).empty());
    CHECK_FALSE(keeper.removes());
}

SCENARIO("no more images are remembered than there is room for; the longest unused is let go") {
    ImageKeeper keeper(hours(0), {});
    for (std::size_t i = 0; i <= kept_images_max; ++i) {
        keeper.brought("id" + std::to_string(i), {}, true, start + std::chrono::seconds(i));
    }
    CHECK(keeper.images().size() == kept_images_max);
    CHECK_FALSE(keeper.images().contains("id0"));
}

namespace {

/// A keeper, and what the test itself remembers of the same history.
class History {
  public:
    explicit History(std::mt19937& random)
        : random_(random), delay_(std::chrono::minutes(pick(300))),
          keeper_(KeeperOptions{delay_, {"pinned:*"}}, {}) {}

    void turn() {
        now_ += std::chrono::minutes(pick(20));
        const auto id = "id" + std::to_string(pick(8));
        switch (pick(5)) {
        case 0:
            bring(id, pick(2) == 0, pick(4) == 0);
            break;
        case 1:
            keeper_.used(id, now_);
            if (last_use_.contains(id)) {
                last_use_[id] = now_;
            }
            break;
        case 2:
            list_containers();
            break;
        case 3:
            keeper_.forget(id);
            last_use_.erase(id);
            pinned_.erase(id);
            break;
        default:
            break;
        }
    }

    void check() {
        const bool wants_room = pick(2) == 0;
        const auto least = wants_room ? std::min<Duration>(delay_, just_used) : delay_;
        std::vector<std::pair<WallTime, std::string>> expected;
        for (const auto& [id, used] : last_use_) {
            if (!containers_.contains(id) && !pinned_.contains(id) && now_ - used >= least) {
                expected.emplace_back(used, id);
            }
        }
        std::sort(expected.begin(), expected.end());
        Ids ids;
        for (const auto& entry : expected) {
            ids.push_back(entry.second);
        }
        REQUIRE(keeper_.removable(wants_room, now_) == ids);
    }

  private:
    int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

    void bring(const std::string& id, bool is_new, bool is_pinned) {
        keeper_.brought(id, {is_pinned ? "pinned:1" : "other:1"}, is_new, now_);
        if (!is_new && !last_use_.contains(id)) {
            return;
        }
        last_use_[id] = now_;
        if (is_pinned) {
            pinned_.insert(id);
        }
    }

    void list_containers() {
        containers_.clear();
        for (int i = pick(6); i > 0; --i) {
            containers_.insert("id" + std::to_string(pick(8)));
        }
        keeper_.in_use(containers_, now_);
        for (auto& [id, used] : last_use_) {
            used = containers_.contains(id) ? now_ : used;
        }
    }

    std::mt19937& random_;
    Duration delay_;
    ImageKeeper keeper_;
    std::map<std::string, WallTime> last_use_; ///< of what is ours
    std::set<std::string> containers_;
    std::set<std::string> pinned_;
    WallTime now_ = start;
};

} // namespace

SCENARIO("whatever happens, only what is ours, unused and unpinned goes, the oldest first") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    for (int number = 0; number < 200; ++number) {
        History history(random);
        for (int turn = 0; turn < 120; ++turn) {
            history.turn();
            history.check();
        }
    }
}

} // namespace methos::executor
