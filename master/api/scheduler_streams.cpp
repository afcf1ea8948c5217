#include "master/api/scheduler_streams.hpp"

#include "core/base/ids.hpp"
#include "core/base/units.hpp"
#include "core/observe/log.hpp"

#include <unordered_map>

namespace methos::master {

/// Shared with the connections' ends, which may come after the owner's.
struct SchedulerStreams::State : std::enable_shared_from_this<State> {
    struct Entry {
        std::string id;
        std::weak_ptr<RecordStream> body;
    };

    State(asio::any_io_executor executor_,
          Shell& shell_,
          external::MasterInfo master_,
          RecordLimits limits_)
        : executor(std::move(executor_)), shell(shell_), master(std::move(master_)),
          limits(limits_), changed(executor) {}

    [[nodiscard]] std::string print(const external::Event& event) const {
        const external::PrintContext context{
            shell.heart().cluster(), master, limits.heartbeat_interval};
        return external::print_event(event, context);
    }

    void publish(const Shell::Publications& publications);
    void deliver(const external::Event& event);
    void overflow(external::StreamNumber number, RecordStream& body);
    void forget(external::StreamNumber number);
    void disconnect(external::StreamNumber number);
    void ended(external::StreamNumber number);
    void finish_all();

    asio::any_io_executor executor;
    Shell& shell;
    external::MasterInfo master;
    RecordLimits limits;
    std::shared_ptr<RecordBudget> budget = std::make_shared<RecordBudget>();
    std::unordered_map<external::StreamNumber, Entry> entries;
    std::unordered_map<std::string, external::StreamNumber> numbers;
    bool closing = false;
    Signal changed;
};

SchedulerStreams::SchedulerStreams(asio::any_io_executor executor,
                                   Shell& shell,
                                   external::MasterInfo master,
                                   RecordLimits limits)
    : state_(std::make_shared<State>(std::move(executor), shell, std::move(master), limits)) {
    shell.on_publications(
        [weak = std::weak_ptr<State>(state_)](const Shell::Publications& publications) {
            if (const auto state = weak.lock()) {
                state->publish(publications);
            }
        });
    shell.on_reload([weak = std::weak_ptr<State>(state_)] {
        if (const auto state = weak.lock()) {
            state->finish_all();
        }
    });
}

SchedulerStreams::~SchedulerStreams() = default;

SchedulerStreams::Opened SchedulerStreams::open(external::StreamNumber number) {
    Opened opened;
    opened.stream_id = random_uuid();
    opened.body = std::make_shared<RecordStream>(state_->executor,
                                                 state_->limits,
                                                 state_->budget,
                                                 external::print_heartbeat(),
                                                 [weak = std::weak_ptr<State>(state_), number] {
                                                     if (const auto state = weak.lock()) {
                                                         state->ended(number);
                                                     }
                                                 });
    state_->entries[number] = {opened.stream_id, opened.body};
    state_->numbers[opened.stream_id] = number;
    if (state_->closing) {
        opened.body->finish();
    }
    return opened;
}

std::optional<external::StreamNumber> SchedulerStreams::find(const std::string& stream_id) const {
    const auto found = state_->numbers.find(stream_id);
    return found == state_->numbers.end() ? std::nullopt : std::optional(found->second);
}

awaitable<> SchedulerStreams::close(Duration limit) {
    state_->closing = true;
    state_->finish_all();
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!state_->entries.empty()) {
        const bool more =
            co_await state_->changed.wait_for(deadline - std::chrono::steady_clock::now());
        if (!more) {
            co_return;
        }
    }
}

std::size_t SchedulerStreams::size() const {
    return state_->entries.size();
}

void SchedulerStreams::State::publish(const Shell::Publications& publications) {
    for (const auto& publication : publications) {
        if (const auto* event = dynamic_cast<const external::Event*>(publication.get())) {
            deliver(*event);
        }
    }
}

void SchedulerStreams::State::deliver(const external::Event& event) {
    const auto found = entries.find(event.stream);
    const auto body = found == entries.end() ? nullptr : found->second.body.lock();
    if (!body || body->ended()) {
        return; // gone meanwhile: what it must not miss is repeated when it subscribes again
    }
    const bool closes = std::holds_alternative<external::Closed>(event.body);
    const bool last = closes || std::holds_alternative<external::ErrorEvent>(event.body);
    if (!closes && !body->push(print(event))) {
        overflow(event.stream, *body);
    } else if (last) {
        body->finish();
        forget(event.stream);
    }
}

void SchedulerStreams::State::overflow(external::StreamNumber number, RecordStream& body) {
    const auto bytes = format_bytes(static_cast<std::int64_t>(limits.bytes_max));
    log::warning("a framework reads its events too slowly and is disconnected",
                 {{"stream", number.value}, {"limit", bytes}});
    const external::Event error(
        number,
        external::ErrorEvent{"events are read too slowly: more than " + bytes + " or " +
                             std::to_string(limits.records_max) + " waited; subscribe again"});
    body.finish_with(print(error));
    forget(number);
    disconnect(number);
}

void SchedulerStreams::State::forget(external::StreamNumber number) {
    const auto found = entries.find(number);
    if (found != entries.end()) {
        numbers.erase(found->second.id);
        entries.erase(found);
        changed.notify();
    }
}

/// The connection has ended, however it did.
void SchedulerStreams::State::ended(external::StreamNumber number) {
    const bool known = entries.contains(number);
    forget(number);
    if (known && !closing) {
        disconnect(number);
    }
}

void SchedulerStreams::State::disconnect(external::StreamNumber number) {
    // Refused while the store takes no writes; the heart that is loaded then knows no subscriber.
    (void)shell.apply([number](heart::Heart& heart, cluster::Step& step) {
        heart.external().disconnected(number, step);
    });
}

void SchedulerStreams::State::finish_all() {
    for (const auto& [number, entry] : entries) {
        if (const auto body = entry.body.lock()) {
            body->finish();
        }
    }
    if (!closing) {
        entries.clear();
        numbers.clear();
    }
}

} // namespace methos::master
