// Fuzz target of core/wire: any bytes as a bus frame. What the reader accepts must survive a second
// trip unchanged, entity by entity: then no value got in that cannot be written again.
#include "tests/support/fuzz.hpp"
#include "tests/support/wire_samples.hpp"

#include <cstdlib>

namespace {

using namespace methos;

template <class Message>
void check_entity(const Message& message) {
    const auto first = wire::from_wire(message);
    if (!first) {
        return;
    }
    Message again;
    wire::to_wire(*first, again);
    const auto second = wire::from_wire(again);
    if (!second || !(*second == *first)) {
        std::abort();
    }
}

} // namespace

std::vector<std::string> methos::fuzz::seed_inputs() {
    std::vector<std::string> inputs;
    for (const auto& frame : wire::samples::frames()) {
        inputs.push_back(wire::serialize(frame));
    }
    return inputs;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto frame = wire::parse_frame(bytes);
    if (!frame) {
        return 0;
    }
    if (!wire::parse_frame(wire::serialize(*frame))) {
        std::abort();
    }
    check_entity(frame->host());
    check_entity(frame->hello().host());
    for (const auto& spec : frame->launch().specs()) {
        check_entity(spec);
    }
    for (const auto& launch : frame->launch().tasks()) {
        check_entity(launch);
    }
    for (const auto& status : frame->status().tasks()) {
        check_entity(status);
    }
    for (const auto& status : frame->inventory().tasks()) {
        check_entity(status);
    }
    return 0;
}
