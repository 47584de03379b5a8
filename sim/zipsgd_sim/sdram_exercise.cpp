// Exercises an SDRAM controller against a plain array, on the model of its chip, and measures its share of the bus.
//
//     sdram_exercise MODEL IO_CYCLES SEED BURSTS
//
// MODEL is the text of SdramRules::parse, and IO_CYCLES that of the controller. First come BURSTS random bursts, with random stalls of every kind: whatever is read
// must be what was written last. Then some orders of bursts are run without stalls: of the cycles from the first word to the
// last, how many have a word on the bus? The last line on standard output is JSON. A wrong word ends the process with status 1,
// and a broken rule of the chip with SDRAM_BROKEN.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "clocked_board.hpp"
#include "sdram_model.hpp"

namespace {

using Word = std::remove_reference_t<decltype(std::declval<Vboard>().PORT(port___05Fread, payload))>;
constexpr unsigned BURST = SdramModel<Word>::BURST;

struct Random {
    uint64_t state;
    uint64_t draw() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state * 0x2545f4914f6cdd1d;
    }
    uint64_t below(uint64_t limit) { return (draw() >> 33) % limit; }
    bool chance(unsigned percent) { return below(100) < percent; }
};

struct Command {
    uint64_t burst;
    bool write;
};

// What is read or written next, if anything.
using Order = std::function<bool(Command&)>;

// Chances of a stall in percent, for each stream.
struct Stalls {
    unsigned command = 0, write = 0, read = 0;
};

class Exercise {
public:
    Exercise(const SdramRules& rules, unsigned io_cycles, uint64_t seed)
        : chip_(rules, seed), late_(io_cycles), address_bits_(rules.bank_bits + rules.row_bits + rules.column_bits - 3), random_{seed * 2 + 1} {}

    uint64_t bursts() const { return uint64_t(1) << address_bits_; }
    Random& random() { return random_; }
    const SdramModel<Word>::Counts& counts() const { return chip_.counts(); }
    bool is_known(uint64_t burst) const { return versions_.count(burst); }

    // Runs the bursts of an order until all their words have moved.
    void run(const Order& order, const Stalls& stalls) {
        for (uint64_t still = 0; still < 100000; ++still)
            if (cycle(order, stalls)) still = 0;
            else if (!offered_ && to_write_.empty() && to_read_.empty()) return;
        fail("no word has moved for 100000 cycles");
    }

    // The share of cycles that have a word on the bus, in `cycles` of an order that does not end.
    double share(const Order& order, uint64_t cycles) {
        for (unsigned i = 0; i < 2000; ++i) cycle(order, {});
        const auto words = [&] { return counts().read + counts().written; };
        const uint64_t before = words();
        for (uint64_t i = 0; i < cycles; ++i) cycle(order, {});
        const double share = double(words() - before) / double(cycles);
        run([](Command&) { return false; }, {});
        return share;
    }

    // Cycles from the one in which a read is taken to the one of its first word.
    uint64_t latency(uint64_t burst) {
        bool asked = false;
        const Order once = [&](Command& command) {
            command = {burst, false};
            return !std::exchange(asked, true);
        };
        run(once, {});
        return first_word_ - taken_;
    }

    void idle_until_refreshed() {
        const Order nothing = [](Command&) { return false; };
        for (const uint64_t before = counts().refreshes; counts().refreshes == before;) cycle(nothing, {});
        for (unsigned i = 0; i < 20; ++i) cycle(nothing, {});
    }

private:
    struct Burst {
        uint64_t burst, version;  // 0: not known what was written
        unsigned place = 0;
        Word word() const {
            uint64_t word = (burst * 0x9e3779b97f4a7c15 + version) * 0xbf58476d1ce4e5b9 + place * 0x94d049bb133111eb;
            return Word((word ^ word >> 31) * 0x9e3779b97f4a7c15 >> 32);
        }
    };

    [[noreturn]] void fail(const std::string& what) {
        std::fprintf(stderr, "cycle %llu: %s\n", (unsigned long long)counts().cycles, what.c_str());
        std::exit(1);
    }

    bool cycle(const Order& order, const Stalls& stalls) {
        Command next;
        if (!offered_ && !random_.chance(stalls.command) && order(next)) {
            offered_ = true;
            command_ = next;
        }
        gives_ = gives_ || (!to_write_.empty() && !random_.chance(stalls.write));
        board_->PORT(port___05Fcommand, valid) = offered_;
        board_->PORT(port___05Fcommand, payload) = command_.burst | uint64_t(command_.write) << address_bits_;
        board_->PORT(port___05Fwrite, valid) = gives_;
        board_->PORT(port___05Fwrite, payload) = gives_ ? to_write_.front().word() : Word(random_.draw());
        board_->PORT(port___05Fread, ready) = !random_.chance(stalls.read);
        bool moved = false;
        Word dq = 0;
        board_.clock([&] {
            if (offered_ && board_->PORT(port___05Fcommand, ready)) moved = true, take_command();
            if (gives_ && board_->PORT(port___05Fwrite, ready)) {
                moved = true;
                gives_ = false;
                if (++to_write_.front().place == BURST) to_write_.pop_front();
            }
            if (board_->PORT(port___05Fread, ready) && board_->PORT(port___05Fread, valid)) moved = true, take_word();
            dq = chip_.edge(SDRAM_PINS(board_, pins));
        });
        late_.push_back(dq);
        board_->PORT(pins___05Fdq, i) = late_.front();
        late_.pop_front();
        ++cycles_;
        return moved;
    }

    void take_command() {
        offered_ = false;
        taken_ = cycles_;
        const uint64_t burst = command_.burst;
        if (command_.write) to_write_.push_back({burst, ++versions_[burst]});
        else to_read_.push_back({burst, is_known(burst) ? versions_[burst] : 0});
    }

    void take_word() {
        if (to_read_.empty()) fail("a word that nobody asked for");
        Burst& burst = to_read_.front();
        const Word word = board_->PORT(port___05Fread, payload);
        if (burst.version && word != burst.word()) {
            char text[128];
            std::snprintf(text, sizeof text, "word %u of burst %llu is %llx, not %llx", burst.place,
                          (unsigned long long)burst.burst, (unsigned long long)word, (unsigned long long)burst.word());
            fail(text);
        }
        if (!burst.place) first_word_ = cycles_;
        if (++burst.place == BURST) to_read_.pop_front();
    }

    ClockedBoard board_;
    SdramModel<Word> chip_;
    std::deque<Word> late_;  // what IO registers hold
    unsigned address_bits_;
    Random random_;
    uint64_t cycles_ = 0, taken_ = 0, first_word_ = 0;
    bool offered_ = false, gives_ = false;
    Command command_{};
    std::deque<Burst> to_write_, to_read_;
    std::unordered_map<uint64_t, uint64_t> versions_;  // of each burst that was written, how often
};

// Random bursts: among few, so that rows and banks meet again soon, or anywhere; a few of a row on end, or single ones.
Order random_bursts(Exercise& exercise, uint64_t count) {
    struct State {
        uint64_t left, base = 0, run = 0;
        unsigned writes = 50, mode = 0;
    };
    return [&exercise, state = State{count}](Command& command) mutable {
        Random& random = exercise.random();
        if (!state.left) return false;
        --state.left;
        if (!state.run) {
            state.mode = random.below(4);
            state.run = 1 + random.below(state.mode ? 40 : 400);
            state.base = random.below(exercise.bursts());
            state.writes = (unsigned[]){0, 20, 50, 100}[random.below(4)];
        }
        --state.run;
        uint64_t burst = state.base;
        switch (state.mode) {
            case 0: burst = (state.base + state.run) % exercise.bursts(); break;
            case 1: burst = random.below(exercise.bursts()); break;
            // The same places again and again, in all banks: their bits differ at both ends of the address
            default: burst = random.below(16) * (exercise.bursts() / 16) / 31 % exercise.bursts() | random.below(4); break;
        }
        command = {burst, !exercise.is_known(burst) || random.chance(state.writes)};
        return true;
    };
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: sdram_exercise MODEL IO_CYCLES SEED BURSTS\n");
        return 2;
    }
    Exercise exercise(SdramRules::parse(argv[1]), std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10));
    const uint64_t count = std::strtoull(argv[4], nullptr, 10);
    const Stalls kinds[] = {{0, 0, 0}, {50, 0, 0}, {0, 50, 0}, {0, 0, 50}, {0, 90, 90}, {90, 20, 20}, {5, 5, 5}, {0, 0, 97}};
    for (const Stalls& stalls : kinds) exercise.run(random_bursts(exercise, count / std::size(kinds)), stalls);

    const uint64_t bursts = exercise.bursts(), in_block = 4096 / sizeof(Word) / BURST;
    const auto blocks = [&](bool write) {
        return [&exercise, bursts, in_block, write, at = uint64_t(0), left = uint64_t(0)](Command& command) mutable {
            if (!left) {
                left = in_block;
                at = exercise.random().below(bursts / in_block) * in_block;
            }
            --left;
            command = {at++, write};
            return true;
        };
    };
    const auto line = [&](bool write) {
        return [bursts, write, at = uint64_t(0)](Command& command) mutable {
            command = {at++ % bursts, write};
            return true;
        };
    };
    const auto single = [&](Command& command) {
        command = {exercise.random().below(bursts), false};
        return true;
    };
    const std::pair<const char*, Order> orders[] = {
        {"reads in order", line(false)},
        {"reads of random blocks of 4 KB", blocks(false)},
        {"writes in order", line(true)},
        {"writes of random blocks of 4 KB", blocks(true)},
        {"reads of random bursts", single},
    };
    constexpr uint64_t CYCLES = 300000;
    // A refresh has just closed all banks; then the row is open; then another row of the bank is
    exercise.idle_until_refreshed();
    const uint64_t closed = exercise.latency(0), open = exercise.latency(1), other = exercise.latency(bursts - bursts / 4);
    std::string shares;
    for (const auto& [name, order] : orders) {
        char text[128];
        std::snprintf(text, sizeof text, "%s\"%s\": %.5f", shares.empty() ? "" : ", ", name, exercise.share(order, CYCLES));
        shares += text;
    }
    const auto& counts = exercise.counts();
    std::printf("{\"cycles\": %llu, \"refreshes\": %llu, \"activations\": %llu, \"words read\": %llu, \"words written\": "
                "%llu, \"latency\": {\"open row\": %llu, "
                "\"closed bank\": %llu, \"another row\": %llu}, \"share\": {%s}}\n",
                (unsigned long long)counts.cycles, (unsigned long long)counts.refreshes,
                (unsigned long long)counts.activations, (unsigned long long)counts.read, (unsigned long long)counts.written,
                (unsigned long long)open, (unsigned long long)closed, (unsigned long long)other, shares.c_str());
    return 0;
}
