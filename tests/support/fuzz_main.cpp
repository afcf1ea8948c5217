// Drives a fuzz target without libFuzzer: fuzz_target [CORPUS_DIR]. Runs every corpus file and seed
// as it is, then mutations of them from a printed seed. METHOS_FUZZ_SEED replays a run,
// METHOS_FUZZ_RUNS makes it longer, METHOS_FUZZ_KEEP=FILE writes each input there before it is run.
#include "tests/support/fuzz.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

namespace {

constexpr std::size_t default_runs = 20'000;
constexpr std::size_t input_bytes_max = 64 * 1024;

std::size_t number_of(const char* variable, std::size_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.is_regular_file()) {
            files.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end());
    std::vector<std::string> inputs;
    for (const auto& path : files) {
        std::ifstream in(path, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return inputs;
}

class Mutator {
  public:
    explicit Mutator(std::size_t seed) : random_(static_cast<std::mt19937_64::result_type>(seed)) {}

    std::string next(const std::vector<std::string>& inputs) {
        auto bytes = inputs[below(inputs.size())];
        for (auto changes = 1 + below(5); changes > 0; --changes) {
            change(bytes, inputs);
        }
        bytes.resize(std::min(bytes.size(), input_bytes_max));
        return bytes;
    }

  private:
    std::size_t below(std::size_t limit) { return random_() % std::max<std::size_t>(limit, 1); }

    char byte() {
        static constexpr unsigned char edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '\n'};
        return static_cast<char>(below(3) == 0 ? edges[below(std::size(edges))] : below(256));
    }

    void change(std::string& bytes, const std::vector<std::string>& inputs) {
        const auto at = below(bytes.size() + 1);
        switch (below(6)) {
        case 0: // flip a bit
            if (at < bytes.size()) {
                bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
            }
            break;
        case 1:
            if (at < bytes.size()) {
                bytes[at] = byte();
            }
            break;
        case 2:
            bytes.insert(at, below(8) + 1, byte());
            break;
        case 3:
            bytes.erase(at, below(8) + 1);
            break;
        case 4: // the end of another input
            bytes.erase(at);
            if (const auto& other = inputs[below(inputs.size())]; !other.empty()) {
                bytes += other.substr(below(other.size()));
            }
            break;
        default: // a piece twice
            bytes.insert(at, bytes.substr(below(bytes.size()), below(64)));
        }
    }

    std::mt19937_64 random_;
};

void keep(const std::filesystem::path& path, const std::string& input) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(input.data(), static_cast<std::streamsize>(input.size()));
}

void run(const std::string& input) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

} // namespace

int main(int argc, char** argv) {
    auto inputs = methos::fuzz::seed_inputs();
    for (int arg = 1; arg < argc; ++arg) {
        const auto corpus = read_corpus(argv[arg]);
        inputs.insert(inputs.end(), corpus.begin(), corpus.end());
    }
    if (inputs.empty()) {
        std::cerr << "no inputs: the target has no seeds and no corpus folder was named\n";
        return 2;
    }
    const auto seed = number_of("METHOS_FUZZ_SEED", std::random_device{}());
    const auto runs = number_of("METHOS_FUZZ_RUNS", default_runs);
    const auto name = std::filesystem::path(argv[0]).filename().string();
    const char* last = std::getenv("METHOS_FUZZ_KEEP");
    std::cout << name << ": " << inputs.size() << " inputs, " << runs
              << " mutations, METHOS_FUZZ_SEED=" << seed << std::endl;
    for (const auto& input : inputs) {
        run(input);
    }
    Mutator mutator(seed);
    for (std::size_t count = 0; count < runs; ++count) {
        const auto input = mutator.next(inputs);
        if (last != nullptr) {
            keep(last, input);
        }
        run(input);
    }
    return 0;
}
