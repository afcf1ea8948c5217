// GET /methos/v1/snapshot: the whole durable state as it is at one commit, in the format of
// core/state/snapshot.hpp. It is read from the store in slices between the commits, so nothing
// stops; and nothing is kept but the slice that is under way. Tokens and keys are files of their
// own (master/shell/secrets.hpp) and never in it.
#include "master/api/api.hpp"

#include "core/base/units.hpp"
#include "core/state/snapshot.hpp"

#include <utility>

namespace methos::master {

namespace {

/// The journal is not folded meanwhile: a reader that takes longer is cut off.
constexpr Duration snapshot_limit = std::chrono::minutes(10);
/// Folds before the reading begins, so that little journal is to be kept in memory for it.
constexpr int folds_max = 256;

awaitable<> fold_journal(Shell& shell) {
    bool more = shell.refusal().empty();
    for (int folds = 0; more && folds < folds_max; ++folds) {
        std::function<void(state::Store&)> tidy = [&more](state::Store& store) {
            try {
                more = store.tidy();
            } catch (const Failure& failure) {
                if (failure.code() != Code::ResourceExhausted) {
                    throw;
                }
                more = false; // a full disk takes no folds; reading goes without
            }
        };
        co_await shell.on_store(std::move(tidy));
    }
}

class SnapshotBody final : public http::BodyReader {
  public:
    SnapshotBody(Shell& shell,
                 std::shared_ptr<state::StateReading> reading,
                 const state::SnapshotHeader& header)
        : shell_(shell), reading_(std::move(reading)), next_(writer_->begin(header)),
          deadline_(shell.now().mono + snapshot_limit) {}

    awaitable<std::optional<std::string>> read() override {
        auto piece = std::exchange(next_, std::string());
        while (piece.empty() && reading_ != nullptr) {
            if (shell_.now().mono > deadline_) {
                reading_.reset();
                throw Failure(Code::Timeout,
                              "the snapshot was not read within " +
                                  format_duration(snapshot_limit));
            }
            co_await read_slice();
            piece = std::exchange(next_, std::string());
        }
        if (piece.empty()) {
            co_return std::nullopt;
        }
        co_return piece;
    }

    void abandon() noexcept override { reading_.reset(); }

  private:
    /// What the pool works with while this may be gone.
    struct Slice {
        std::shared_ptr<state::StateReading> reading;
        std::shared_ptr<state::SnapshotWriter> writer;
        std::string bytes;
        bool last = false;

        void fill() {
            const auto records = reading->next();
            last = !records;
            if (last) {
                bytes = writer->end();
                return;
            }
            for (const auto& record : *records) {
                writer->add(record, bytes);
            }
        }
    };

    awaitable<> read_slice() {
        auto slice = std::make_shared<Slice>();
        slice->reading = reading_;
        slice->writer = writer_;
        std::function<void(state::Store&)> work = [slice](state::Store&) { slice->fill(); };
        co_await shell_.on_store(std::move(work));
        next_ = std::move(slice->bytes);
        if (slice->last) {
            reading_.reset();
        }
    }

    Shell& shell_;
    std::shared_ptr<state::StateReading> reading_; ///< none after its end
    std::shared_ptr<state::SnapshotWriter> writer_ = std::make_shared<state::SnapshotWriter>();
    std::string next_;
    const MonoTime deadline_;
};

awaitable<http::Response> take_snapshot(ApiContext& context, http::Request /*request*/) {
    auto& shell = context.shell;
    co_await fold_journal(shell);
    std::shared_ptr<state::StateReading> reading;
    std::function<void(state::Store&)> begin = [&reading](state::Store& store) {
        reading = store.begin_reading();
    };
    co_await shell.on_store(std::move(begin));
    state::SnapshotHeader header;
    header.cluster = shell.heart().cluster().id();
    header.epoch = shell.heart().cluster().epoch();
    header.taken_at = shell.now().wall;
    header.build = context.build;
    http::Response response;
    response.headers.set("Content-Type", "application/octet-stream");
    response.headers.set("Content-Disposition", "attachment; filename=\"methos.snapshot\"");
    response.stream = std::make_shared<SnapshotBody>(shell, std::move(reading), header);
    co_return response;
}

} // namespace

void add_snapshot_routes(http::Router& router, ApiContext& context) {
    http::Route route;
    route.method = "GET";
    route.pattern = "/methos/v1/snapshot";
    route.auth = http::Auth::Token;
    route.handler = [&context](http::Request request) {
        return take_snapshot(context, std::move(request));
    };
    router.add(std::move(route));
}

} // namespace methos::master
