// The SQLite home of the state with its sizes open to tests; programs use open_sqlite_store.
#pragma once

#include "master/state/store.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace methos::state {

struct SqliteSizes {
    /// tidy() leaves a smaller journal alone: rows cost three times a journal's write, boot reads
    /// 4 MB in about 10 ms.
    std::size_t fold_from_bytes = 4 * 1024 * 1024;
    /// Of journal folded in one transaction: what a commit may have to wait for, about 20 ms.
    std::size_t fold_slice_bytes = 1024 * 1024;
    /// A group commit larger than this is split over several journal rows of one transaction.
    std::size_t entry_bytes = 1024 * 1024;
    /// Folded journal rows deleted in one transaction.
    std::int64_t delete_slice_rows = 64;
};

[[nodiscard]] std::unique_ptr<Store> open_sqlite_store(const std::string& data_dir,
                                                       const SqliteSizes& sizes);

} // namespace methos::state
