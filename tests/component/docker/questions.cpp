#include "tests/component/docker/questions.hpp"

#include <utility>

namespace methos::test {

namespace {

using namespace docker;

const std::string subject = "subject";

} // namespace

void set_up(EngineBench& bench, const Question& question) {
    auto& fake = *bench.fake;
    fake.chunk_answers(question.in_chunks);
    while (!fake.containers().empty()) {
        fake.remove(fake.containers().front()->id);
    }
    fake.add_image("methos-test/removable:1");
    fake.add_remote(pull_image() + ":1");
    FakeContainer container;
    container.id = std::string(64, 'c');
    container.name = subject;
    container.image = contract_image;
    container.labels["io.methos.task"] = "demo.1";
    container.network_mode = "bridge";
    container.ports.push_back({80, Transport::Tcp, 31001, ""});
    container.status = question.subject_is;
    fake.add_container(container);
    fake.write_log(subject, "one line\n");
    fake.write_log(subject, "and an error\n", true);
}

namespace {

template <class T>
std::string words(const Answer<T>& answer, const std::string& value) {
    return answer ? value : "refused: " + answer.error().message;
}

// ---- the questions ---------------------------------------------------------------------------

awaitable<std::string> ping(EngineBench& bench) {
    co_await bench.engine->ping();
    co_return "alive";
}

awaitable<std::string> version(EngineBench& bench) {
    const auto version = co_await bench.engine->negotiate();
    co_return version.engine + " " + version.api.to_string() + " " + version.kernel;
}

awaitable<std::string> info(EngineBench& bench) {
    const auto info = co_await bench.engine->info();
    co_return info.id + " " + std::to_string(info.memory_bytes);
}

awaitable<std::string> inspect_image(EngineBench& bench) {
    const auto image = co_await bench.engine->inspect_image(contract_image);
    co_return words(image, image ? image->id : "");
}

awaitable<std::string> tag_image(EngineBench& bench) {
    const auto tagged = co_await bench.engine->tag_image(contract_image, "methos-test/alias", "1");
    co_return words(tagged, "tagged");
}

awaitable<std::string> remove_image(EngineBench& bench) {
    const auto removed = co_await bench.engine->remove_image("methos-test/removable:1", false);
    co_return words(removed, removed && *removed == ImageRemoveOutcome::Removed ? "gone" : "?");
}

awaitable<std::string> pull(EngineBench& bench) {
    PullRequest request;
    request.image = pull_image();
    request.tag = "1";
    const PullObserver nobody;
    const auto pulled = co_await bench.engine->pull(std::move(request), nobody);
    co_return words(pulled, pulled ? pulled->digest + (pulled->is_new ? " new" : " old") : "");
}

awaitable<std::string> create(EngineBench& bench) {
    ContainerConfig config;
    config.image = contract_image;
    const auto created = co_await bench.engine->create_container(std::move(config), "made");
    const auto* made = bench.fake->find("made");
    const bool is_it = created && made != nullptr && made->id == created->id;
    co_return words(created, is_it ? "made" : "something else was made");
}

awaitable<std::string> conflict(EngineBench& bench) {
    ContainerConfig config;
    config.image = contract_image;
    const auto created = co_await bench.engine->create_container(std::move(config), subject);
    const bool is_conflict = !created && created.error().fault == EngineFault::NameConflict;
    co_return is_conflict ? "held by " + created.error().holder : words(created, "made");
}

awaitable<std::string> start(EngineBench& bench) {
    const auto started = co_await bench.engine->start_container(subject);
    co_return words(started, started && *started == StartOutcome::Started ? "runs" : "ran");
}

awaitable<std::string> stop(EngineBench& bench) {
    const auto stopped = co_await bench.engine->stop_container(subject, std::chrono::seconds(1));
    co_return words(stopped, stopped && *stopped == StopOutcome::Stopped ? "stopped" : "was not");
}

awaitable<std::string> kill(EngineBench& bench) {
    const auto killed = co_await bench.engine->kill_container(subject, "SIGKILL");
    co_return words(killed, killed && *killed == KillOutcome::Killed ? "killed" : "was not");
}

awaitable<std::string> remove(EngineBench& bench) {
    const auto removed = co_await bench.engine->remove_container(subject, true);
    co_return words(removed, removed && *removed == RemoveOutcome::Removed ? "removed" : "was not");
}

awaitable<std::string> inspect(EngineBench& bench) {
    const auto state = co_await bench.engine->inspect_container(subject);
    co_return words(state, state ? state->name + " " + to_string(state->status) : "");
}

awaitable<std::string> inspect_nobody(EngineBench& bench) {
    const auto state = co_await bench.engine->inspect_container("nobody");
    co_return words(state, "somebody");
}

awaitable<std::string> list(EngineBench& bench) {
    const ListQuery all;
    const auto rows = co_await bench.engine->list_containers(all);
    co_return std::to_string(rows.size()) + (rows.empty() ? "" : rows.front().name);
}

awaitable<std::string> exec(EngineBench& bench) {
    ExecRequest request;
    request.command = {"/bin/sh", "-c", "echo hello; exit 3"};
    const auto done = co_await bench.engine->exec(subject, std::move(request));
    co_return words(done, done ? std::to_string(done->exit_code) + done->output : "");
}

awaitable<std::string> past_events(EngineBench& bench) {
    EventQuery query;
    query.since = bench.fake->find(subject)->created_at;
    bench.fake->terminate(subject, 7);
    query.until = query.since + 1;
    auto events = co_await bench.engine->events(std::move(query));
    std::string told;
    while (const auto event = co_await events->next()) {
        told += event->action + " ";
    }
    co_return told;
}

awaitable<std::string> logs(EngineBench& bench) {
    const LogQuery everything;
    auto body = co_await bench.engine->logs(subject, everything);
    std::string text;
    while (body) {
        const auto piece = co_await (*body)->read();
        if (!piece) {
            break;
        }
        text += *piece;
    }
    co_return words(body, std::to_string(text.size()));
}

awaitable<void> ask_into(EngineBench& bench, const Question& question, Outcome& outcome) {
    try {
        outcome.value = co_await question.ask(bench);
    } catch (const Failure& failure) {
        outcome.error = failure.error();
    }
}

} // namespace

const std::vector<Question>& one_of_each_shape() {
    static const std::vector<Question> questions{
        {"create, with its length", "POST /containers/create", create},
        {"inspect, in chunks", "GET /containers/subject", inspect, ContainerStatus::Running, true},
        {"a pull within its 200", "POST /images/create", pull},
        {"events", "GET /events", past_events},
    };
    return questions;
}

const std::vector<Question>& the_others() {
    static const std::vector<Question> questions{
        {"ping", "GET /_ping", ping},
        {"version", "GET /version", version},
        {"info", "GET /info", info},
        {"info, in chunks", "GET /info", info, ContainerStatus::Running, true},
        {"inspect of an image", "GET /images/", inspect_image},
        {"the look at what was pulled", "GET /images/", pull},
        {"tag", "POST /images/", tag_image},
        {"removal of an image", "DELETE /images/", remove_image},
        {"create refused", "POST /containers/create", conflict},
        {"start", "POST /containers/", start, ContainerStatus::Created},
        {"start of what runs", "POST /containers/", start},
        {"stop", "POST /containers/", stop},
        {"kill", "POST /containers/", kill},
        {"kill of what has ended", "POST /containers/", kill, ContainerStatus::Exited},
        {"removal", "DELETE /containers/", remove},
        {"inspect", "GET /containers/subject", inspect},
        {"inspect of nobody", "GET /containers/nobody", inspect_nobody},
        {"list", "GET /containers/json", list},
        {"list, in chunks", "GET /containers/json", list, ContainerStatus::Running, true},
        {"exec made", "POST /containers/", exec},
        {"exec looked at", "GET /exec/", exec},
        {"logs", "GET /containers/subject/logs", logs},
    };
    return questions;
}

Question output_question() {
    return {"output of a command", "POST /exec/", exec};
}

Outcome ask_damaged(EngineBench& bench, const Question& question, FakeFault fault) {
    set_up(bench, question);
    fault.call = question.call;
    bench.fake->forget_faults();
    bench.fake->inject(std::move(fault));
    Outcome outcome;
    bench.run(ask_into(bench, question, outcome));
    return outcome;
}

} // namespace methos::test
