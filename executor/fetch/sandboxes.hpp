// The sandboxes of this host: one folder per task that fetches, in one folder of the data
// directory that no other user can enter. Removal takes the name away at once
// and the content in the background. Called on the loop thread; removing runs on the pool.
#pragma once

#include <boost/asio/thread_pool.hpp>

#include <cstdint>
#include <set>
#include <string>

namespace methos::executor {

class Sandboxes {
  public:
    /// `folder` is absolute and need not exist; `pool` must outlive this.
    Sandboxes(std::string folder, boost::asio::thread_pool& pool);

    [[nodiscard]] std::string path_of(const std::string& name) const;
    /// The path of a sandbox that is to be made: what had its name is gone. Throws Failure when the
    /// folder of all cannot be made.
    [[nodiscard]] std::string clear_place_for(const std::string& name);
    void remove(const std::string& name);
    /// Removes every sandbox but those of `kept`, and what earlier removals have left.
    void collect(const std::set<std::string>& kept);

  private:
    void remove_in_background(const std::string& path);

    std::string folder_;
    boost::asio::thread_pool& pool_;
    std::uint64_t removed_ = 0;
};

} // namespace methos::executor
