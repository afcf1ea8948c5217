// The people of a simulation: they create, change, scale, restart, take back and delete apps, and
// repeat what was not answered. What they had confirmed last is what must run in the end.
#pragma once

#include "tests/simulation/master.hpp"

#include <map>
#include <optional>
#include <string>

namespace methos::simulation {

class People {
  public:
    /// An app as its owner wants it.
    struct Wanted {
        int instances = 0;
        bool deleted = false;
        std::string definition;
        std::uint64_t revision = 0;
        std::uint64_t answered = 0;      ///< the revision that the master has confirmed
        bool asked = false;              ///< a request is open
        bool restarted = false;          ///< every instance anew
        std::optional<std::size_t> back; ///< to what it was so many versions ago, if it was
    };

    /// `hosts`: how many an app can count on.
    People(std::size_t hosts, ModelMaster& master, Random& random, Trace& trace)
        : hosts_(hosts), master_(master), random_(random), trace_(trace) {}

    /// Somebody wants something else from now on.
    void change_an_app();
    /// Whoever got no answer asks (again).
    void ask();

    [[nodiscard]] const std::map<std::string, Wanted>& apps() const { return apps_; }

  private:
    struct Agreed {
        int instances = 0;
        std::string definition;
    };

    void ask_for(const std::string& id, Wanted& wanted);

    std::size_t hosts_;
    ModelMaster& master_;
    Random& random_;
    Trace& trace_;
    std::map<std::string, Wanted> apps_;
};

} // namespace methos::simulation
