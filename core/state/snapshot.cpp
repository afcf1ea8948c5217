#include "core/state/snapshot.hpp"

#include "core/state/meta.pb.h"

#include <openssl/evp.h>

#include <array>
#include <istream>
#include <string_view>
#include <utility>

namespace methos::state {

namespace {

constexpr std::string_view magic = "METHOS-SNAPSHOT ";
constexpr std::string_view first_line = "METHOS-SNAPSHOT 1\n";
constexpr char begin_kind = 'H';
constexpr char record_kind = 'R';
constexpr char end_kind = 'E';
constexpr std::size_t frame_head_bytes = 1 + 4 + 8;
constexpr std::size_t record_head_bytes = 1 + 8;
constexpr std::uint64_t payload_bytes_max = 4 * 1024 * 1024; ///< a record is at most 1.5 MB

template <class Number>
void put(std::string& out, Number value) {
    for (std::size_t i = 0; i < sizeof(value); ++i) {
        out += static_cast<char>((value >> (8 * i)) & 0xFF);
    }
}

std::uint64_t number_in(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        value = (value << 8U) | static_cast<std::uint8_t>(bytes[i]);
    }
    return value;
}

std::uint64_t seed_of(std::uint64_t position, char kind) {
    return position ^ (static_cast<std::uint64_t>(static_cast<std::uint8_t>(kind)) << 56U);
}

std::string hex_of(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        text += digits[static_cast<std::uint8_t>(byte) >> 4U];
        text += digits[static_cast<std::uint8_t>(byte) & 0x0FU];
    }
    return text;
}

[[noreturn]] void fail(const std::string& what) {
    throw Failure(Code::InvalidInput, what);
}

} // namespace

/// Of what has passed.
class Sha256 {
  public:
    Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
    }

    void add(std::string_view bytes) {
        check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
    }

    /// The last call.
    [[nodiscard]] std::string result() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
        unsigned int size = 0;
        check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1);
        return {bytes.begin(), bytes.begin() + size};
    }

  private:
    static void check(bool good) {
        if (!good) {
            throw Failure(Code::Internal, "SHA-256 is not available");
        }
    }

    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

SnapshotWriter::SnapshotWriter() : digest_(std::make_unique<Sha256>()) {}

SnapshotWriter::~SnapshotWriter() = default;

void SnapshotWriter::add_frame(char kind, const std::string& payload, std::string& out) {
    const auto start = out.size();
    out += kind;
    put(out, static_cast<std::uint32_t>(payload.size()));
    put(out, checksum_of(seed_of(position_++, kind), payload));
    out += payload;
    digest_->add(std::string_view(out).substr(start));
}

std::string SnapshotWriter::begin(const SnapshotHeader& header) {
    SnapshotBegin message;
    message.set_schema(header.schema);
    message.set_cluster(header.cluster);
    message.set_epoch(header.epoch);
    message.set_taken_at_ms(header.taken_at.time_since_epoch().count());
    message.set_build(header.build);
    std::string out(first_line);
    digest_->add(out);
    add_frame(begin_kind, message.SerializeAsString(), out);
    return out;
}

void SnapshotWriter::add(const Record& record, std::string& out) {
    std::string payload;
    payload.reserve(record_head_bytes + record.value.size());
    put(payload, static_cast<std::uint8_t>(record.table));
    put(payload, record.key);
    payload += record.value;
    add_frame(record_kind, payload, out);
    ++records_;
}

std::string SnapshotWriter::end() {
    SnapshotEnd message;
    message.set_records(records_);
    message.set_sha256(digest_->result());
    digest_ = std::make_unique<Sha256>();
    std::string out;
    add_frame(end_kind, message.SerializeAsString(), out);
    return out;
}

namespace {

/// One pass over a snapshot, checking.
class Reader {
  public:
    explicit Reader(std::istream& in) : in_(in) {}

    SnapshotHeader read_begin();
    /// Nothing at the end, which has been verified then.
    std::optional<Record> read_record();

    SnapshotSummary take_summary() { return std::move(summary_); }

  private:
    struct Frame {
        char kind = 0;
        std::string bytes; ///< head and payload

        [[nodiscard]] std::string_view payload() const {
            return std::string_view(bytes).substr(frame_head_bytes);
        }
    };

    std::string read_bytes(std::size_t count);
    Frame read_frame();
    Record record_of(std::string_view payload);
    void check_meta(const Record& record);
    void check_end(const Frame& frame);

    [[noreturn]] void damaged(const std::string& what) const {
        fail("the snapshot is damaged at frame " + std::to_string(position_) + ": " + what);
    }

    std::istream& in_;
    Sha256 digest_;
    std::uint64_t position_ = 0; ///< of the frame that is read
    std::optional<std::pair<Table, std::uint64_t>> last_;
    std::uint64_t count_ = 0;
    SnapshotSummary summary_;
};

std::string Reader::read_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    in_.read(bytes.data(), static_cast<std::streamsize>(count));
    if (in_.bad()) {
        throw Failure(Code::Internal, "the snapshot cannot be read: the disk has an error");
    }
    if (static_cast<std::size_t>(in_.gcount()) != count) {
        fail("the snapshot is cut short: it ends inside frame " + std::to_string(position_) +
             ", before its end was written");
    }
    summary_.bytes += count;
    return bytes;
}

Reader::Frame Reader::read_frame() {
    Frame frame;
    frame.bytes = read_bytes(frame_head_bytes);
    const std::string head = frame.bytes;
    const std::string_view fields = head;
    frame.kind = fields.front();
    const auto length = number_in(fields.substr(1, 4));
    if (length > payload_bytes_max) {
        damaged("it claims " + std::to_string(length) + " bytes, more than any frame has");
    }
    frame.bytes += read_bytes(length);
    if (number_in(fields.substr(5)) !=
        checksum_of(seed_of(position_, frame.kind), frame.payload())) {
        damaged("its checksum does not match");
    }
    return frame;
}

SnapshotHeader Reader::read_begin() {
    std::string line(first_line.size(), '\0');
    in_.read(line.data(), static_cast<std::streamsize>(line.size()));
    line.resize(static_cast<std::size_t>(in_.gcount()));
    if (line.rfind(magic, 0) != 0) {
        fail("this is no snapshot: it does not begin with " + std::string(magic));
    }
    if (line != first_line) {
        fail("the snapshot has a format that this program does not know: a newer one reads it");
    }
    summary_.bytes += line.size();
    digest_.add(line);
    const auto frame = read_frame();
    SnapshotBegin message;
    if (frame.kind != begin_kind || !message.ParseFromString(std::string(frame.payload()))) {
        damaged("it does not begin as a snapshot does");
    }
    if (message.schema() == 0 || message.schema() > schema_version) {
        fail("the snapshot was taken by a newer Methos (schema " +
             std::to_string(message.schema()) + ", this program knows up to " +
             std::to_string(schema_version) + "): use that version");
    }
    digest_.add(frame.bytes);
    ++position_;
    auto& header = summary_.header;
    header.schema = message.schema();
    header.cluster = message.cluster();
    header.epoch = message.epoch();
    header.taken_at = WallTime(std::chrono::milliseconds(message.taken_at_ms()));
    header.build = message.build();
    return header;
}

std::optional<Record> Reader::read_record() {
    const auto frame = read_frame();
    if (frame.kind == end_kind) {
        check_end(frame);
        return std::nullopt;
    }
    if (frame.kind != record_kind) {
        damaged("it is neither a record nor the end");
    }
    auto record = record_of(frame.payload());
    if (record.table == Table::Meta) {
        check_meta(record);
    }
    digest_.add(frame.bytes);
    ++position_;
    ++count_;
    ++summary_.records[record.table];
    return record;
}

Record Reader::record_of(std::string_view payload) {
    if (payload.size() < record_head_bytes) {
        damaged("it is too short for a record");
    }
    const auto table = table_of(static_cast<std::uint8_t>(payload.front()), summary_.header.schema);
    const auto key = number_in(payload.substr(1, 8));
    if (!table || key > record_key_max) {
        damaged("it names a place that does not exist");
    }
    const std::pair place(*table, key);
    if (last_ && !(*last_ < place)) {
        damaged("its record is out of order, or there twice");
    }
    last_ = place;
    return {*table, key, std::string(payload.substr(record_head_bytes))};
}

void Reader::check_meta(const Record& record) {
    MetaRecord meta;
    if (record.key != meta_key || !meta.ParseFromString(record.value)) {
        damaged("its record of the cluster cannot be read");
    }
    if (meta.cluster() != summary_.header.cluster) {
        damaged("its record of the cluster is another cluster's");
    }
}

void Reader::check_end(const Frame& frame) {
    SnapshotEnd message;
    if (!message.ParseFromString(std::string(frame.payload()))) {
        damaged("its end cannot be read");
    }
    const auto digest = digest_.result();
    if (message.records() != count_ || message.sha256() != digest) {
        damaged("it is not the end of what comes before it");
    }
    if (in_.peek() != std::istream::traits_type::eof()) {
        damaged("something follows the end");
    }
    if (!summary_.records.contains(Table::Meta)) {
        damaged("it holds no record of the cluster");
    }
    summary_.sha256 = hex_of(digest);
}

} // namespace

SnapshotSummary read_snapshot(std::istream& in,
                              const std::function<void(const SnapshotHeader&)>& on_header,
                              const std::function<void(const Record&)>& on_record) {
    Reader reader(in);
    on_header(reader.read_begin());
    while (const auto record = reader.read_record()) {
        on_record(*record);
    }
    return reader.take_summary();
}

} // namespace methos::state
