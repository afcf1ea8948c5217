#include "tests/component/docker/bench.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace methos::test {

namespace {

const char* real_socket() {
    return std::getenv("METHOS_TEST_DOCKER_SOCKET"); // NOLINT(concurrency-mt-unsafe): one thread
}

const char* real_pull_image() {
    return std::getenv("METHOS_TEST_PULL_IMAGE"); // NOLINT(concurrency-mt-unsafe): one thread
}

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(' ');
    const auto last = text.find_last_not_of(' ');
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

/// As json-file writes a long line: parts of 16 KiB, the last with the line end.
void put_long_line(FakeProgram& program, std::size_t bytes) {
    constexpr std::size_t part_bytes = 16 * 1024;
    for (; bytes > part_bytes; bytes -= part_bytes) {
        program.output.emplace_back(part_bytes, 'x');
    }
    program.output.push_back(std::string(bytes, 'x') + "\n");
}

/// The few words of shell that the contract's scripts are made of.
void run_statement(FakeProgram& program, const std::string& statement) {
    const std::string to_stderr = " >&2";
    if (statement.rfind("exit ", 0) == 0) {
        program.exits_at_once = std::atoi(statement.c_str() + 5);
    } else if (statement.rfind("head -c ", 0) == 0) {
        put_long_line(program, static_cast<std::size_t>(std::atoi(statement.c_str() + 8)));
    } else if (statement == "exec tail /dev/zero") { // keeps the last line, which never ends
        program.exits_at_once = 137;
        program.runs_out_of_memory = true;
    } else if (statement.rfind("echo ", 0) == 0) {
        const auto redirect = statement.find(to_stderr);
        const auto text =
            statement.substr(5, redirect == std::string::npos ? redirect : redirect - 5);
        auto& target = redirect == std::string::npos ? program.output : program.errors;
        target.push_back(text + "\n");
    }
}

FakeProgram run_command(const FakeContainer& container) {
    FakeProgram program;
    const auto body = nlohmann::json::parse(container.body);
    const auto command = body.value("Cmd", std::vector<std::string>());
    if (container.network_mode == "methos-no-such-network") {
        program.start_status = 404;
        program.start_error = "network methos-no-such-network not found";
        return program;
    }
    if (!command.empty() && command[0] == "/no/such/program") {
        program.start_status = 400;
        program.start_error = "failed to create shim: OCI runtime create failed: "
                              "container_linux.go:367: starting container process caused: exec: "
                              "\"/no/such/program\": stat /no/such/program: no such file or "
                              "directory: unknown";
        return program;
    }
    if (command.size() == 3 && command[1] == "-c") {
        std::istringstream script(command[2]);
        for (std::string statement; std::getline(script, statement, ';');) {
            run_statement(program, trimmed(statement));
        }
        const bool stays = command[2].find("sleep") != std::string::npos;
        if (!program.exits_at_once && !stays) {
            program.exits_at_once = 0;
        }
    }
    return program;
}

std::pair<int, std::string> run_exec(const FakeContainer& /*unused*/,
                                     const std::vector<std::string>& command) {
    FakeProgram program;
    if (command.size() == 3) {
        std::istringstream script(command[2]);
        for (std::string statement; std::getline(script, statement, ';');) {
            run_statement(program, trimmed(statement));
        }
    }
    std::string output;
    for (const auto& line : program.output) {
        output += line;
    }
    return {program.exits_at_once.value_or(0), output};
}

std::unique_ptr<FakeEngine> make_fake(asio::any_io_executor executor) {
    auto fake = std::make_unique<FakeEngine>(std::move(executor));
    FakeImage image;
    image.command = {"/bin/sh"};
    fake->add_image(contract_image, image);
    fake->set_program(run_command);
    fake->set_exec(run_exec);
    FakePull refused;
    refused.status = 500;
    refused.message = "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: "
                      "connection refused";
    fake->add_remote(pull_image() + ":1");
    fake->add_remote("127.0.0.1:1/nothing:1", refused);
    return fake;
}

} // namespace

void run_on(asio::io_context& loop, awaitable<void> work) {
    std::exception_ptr thrown;
    bool ended = false;
    auto done = [&](std::exception_ptr exception) {
        thrown = std::move(exception);
        ended = true;
        loop.stop();
    };
    asio::co_spawn(loop, std::move(work), std::move(done));
    loop.restart();
    loop.run_for(std::chrono::minutes(1));
    if (!ended) {
        throw std::runtime_error("the test's work did not end within a minute");
    }
    if (thrown) {
        std::rethrow_exception(thrown);
    }
}

std::string pull_image() {
    const auto* real = real_pull_image();
    return real == nullptr ? "registry.test/contract/pull" : real;
}

bool EngineBench::has_real_engine() {
    return real_socket() != nullptr;
}

EngineBench::EngineBench(Kind kind) {
    std::string socket;
    if (kind == Kind::Given && has_real_engine()) {
        socket = real_socket();
    } else {
        fake = make_fake(loop.get_executor());
        fake->split_bytes(kind == Kind::FakeSplit);
        socket = fake->socket_path();
    }
    client = std::make_unique<http::Client>(loop.get_executor());
    engine = std::make_unique<docker::Engine>(*client, socket);
}

EngineBench::~EngineBench() = default;

} // namespace methos::test
