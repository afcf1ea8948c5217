// One group commit as bytes, for the journal of a store: the batches' changes in order, with a
// length and a checksum, so that damage is found when it is read and never taken for data. Pure;
// owned by the stores of master/state.
//
//   entry   = 'J' version:1 length:u32 checksum:u64 payload
//   payload = count:varint change*
//   change  = table:u8 (top bit set: erased) key:varint [length:varint bytes]
#pragma once

#include "master/state/store.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace methos::state {

/// `sequence` is part of the checksum: an entry read from another one's place is damaged.
[[nodiscard]] std::string encode_entry(std::uint64_t sequence, const Batch& changes);

/// Errors: Internal, saying what is wrong with the bytes.
[[nodiscard]] Result<Batch> decode_entry(std::uint64_t sequence, std::string_view entry);

} // namespace methos::state
