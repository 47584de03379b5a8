// A model of an SDR SDRAM chip that checks every rule of its data sheet.
//
// How to use it in a loop around a Verilated top with a port `pins` (see zipsgd_hw.store.sdram.sdram_pins):
//
//     SdramModel<uint16_t> chip(SdramRules::parse(text), seed);  // a chip of 16 bits; text from zipsgd_sim.sdram.model_text
//     ...
//     top->clk = 0;
//     top->eval();
//     const auto dq = chip.edge(SDRAM_PINS(top, pins));          // once a cycle, right before the rising edge
//     top->clk = 1;
//     top->eval();                                               // takes the word that was on the bus until now
//     top->PORT(pins___05Fdq, i) = dq;                           // the chip's answer to this edge
//
// With ClockedBoard: call `edge` in the function given to `clock`, and set the port when `clock` has returned.
//
// A broken rule ends the process with status SDRAM_BROKEN, after a line on standard error that tells rule, cycle and values.
// The chip knows only whole bursts of eight words and no automatic precharge, as the controller uses no others: anything else
// counts as a broken rule. Content is random at power-up. While clk_en is low, as in a reset, the chip keeps its content, and
// it must be initialised again.
#pragma once

#include <cinttypes>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

constexpr int SDRAM_BROKEN = 4;

// Verilator's spelling of the pins of a port `name` of `top`
#define SDRAM_PINS(top, name)                                                                                              \
    SdramPins {                                                                                                            \
        .clk_en = bool(top->name##___05Fclk_en), .cs = bool(top->name##___05Fcs), .ras = bool(top->name##___05Fras),       \
        .cas = bool(top->name##___05Fcas), .we = bool(top->name##___05Fwe), .ba = top->name##___05Fba,                     \
        .a = top->name##___05Fa, .dqm = top->name##___05Fdqm, .dq_o = top->name##___05Fdq___05Fo,                          \
        .dq_oe = bool(top->name##___05Fdq___05Foe)                                                                         \
    }

// What the controller drives.
struct SdramPins {
    bool clk_en = true, cs = false, ras = false, cas = false, we = false;
    uint32_t ba = 0, a = 0, dqm = 0, dq_o = 0;
    bool dq_oe = false;
};

// Geometry in bits, times in cycles; see zipsgd_hw.store.sdram.geometry for each of them.
struct SdramRules {
    uint64_t data_bits, bank_bits, row_bits, column_bits;
    uint64_t rcd, rp, ras, rc, rrd, rfc, wr, mrd, cas, init, window, refreshes, most_ras;

    // From "data_bits=16,bank_bits=2,...", with a value for each member. Throws std::invalid_argument.
    static SdramRules parse(const std::string& text) {
        std::map<std::string, uint64_t> values;
        std::istringstream items(text);
        for (std::string item; std::getline(items, item, ',');) {
            const auto equals = item.find('=');
            if (equals == std::string::npos) throw std::invalid_argument("no value in " + item);
            values[item.substr(0, equals)] = std::stoull(item.substr(equals + 1));
        }
        const auto take = [&](const char* name) {
            const auto found = values.find(name);
            if (found == values.end()) throw std::invalid_argument(std::string("no ") + name);
            return found->second;
        };
        return {take("data_bits"), take("bank_bits"), take("row_bits"), take("column_bits"), take("rcd"), take("rp"),
                take("ras"),       take("rc"),        take("rrd"),      take("rfc"),         take("wr"),  take("mrd"),
                take("cas"),       take("init"),      take("window"),   take("refreshes"),   take("most_ras")};
    }
};

template <typename Word> class SdramModel {
public:
    static constexpr unsigned BURST = 8;
    static constexpr unsigned INIT_REFRESHES = 2;  // that data sheets ask for at least

    // Words by number: what was on the bus, since the beginning.
    struct Counts {
        uint64_t cycles = 0, read = 0, written = 0, activations = 0, refreshes = 0;
    };

    // `seed`: of the content at power-up, and of bit errors. `error_rate`: chance that a word is written with a wrong bit.
    explicit SdramModel(const SdramRules& rules, uint64_t seed = 1, double error_rate = 0)
        : rules_(rules), banks_(size_t(1) << rules.bank_bits),
          fresh_(size_t(1) << (rules.bank_bits + rules.row_bits), true), state_(seed * 2 + 1), error_rate_(error_rate),
          refreshed_(rules.refreshes) {
        const size_t words = size_t(1) << (rules.bank_bits + rules.row_bits + rules.column_bits);
        words_ = static_cast<Word*>(std::calloc(words, sizeof(Word)));  // pages that are not used take no memory
        if (!words_) throw std::bad_alloc();
        next_error_ = draw_error();
    }
    ~SdramModel() { std::free(words_); }
    SdramModel(const SdramModel&) = delete;
    SdramModel& operator=(const SdramModel&) = delete;

    // From now on, this bit of a word is read wrongly. The word's place: row, bank, column, from the top bit on.
    void spoil(uint64_t word, unsigned bit) { spoilt_[word] ^= Word(1) << bit; }

    const Counts& counts() const { return counts_; }

    // A rising edge: takes the pins before it, and returns the bus after it.
    Word edge(const SdramPins& pins) {
        const uint64_t now = ++counts_.cycles;
        if (pins.clk_en) [[likely]] {
            if (pins.cs && (pins.ras || pins.cas || pins.we)) command(pins, now);
        } else {
            sleep(pins, now);
        }
        if (now < written_until_) {
            take(pins, now);
        } else if (pins.dq_oe) [[unlikely]] {
            broken("bus", now, "driven without a write");
        }
        if (now >= refresh_by_) broken("tREFI", now, "no refresh since cycle %" PRIu64, last_refresh_);
        const Slot& slot = slots_[(now + 1) % SLOTS];
        if (slot.cycle == now + 1) {
            ++counts_.read;
            return slot.word;
        }
        return Word(state_ += 0x9e3779b97f4a7c15);  // nobody drives the bus
    }

private:
    static constexpr unsigned SLOTS = 16;

    struct Bank {
        bool open = false;
        uint32_t row = 0;
        uint64_t activated = 0, precharged = 0, read = 0, write = 0;
    };
    struct Slot {
        uint64_t cycle = 0;
        Word word = 0;
    };

    [[noreturn]] void broken(const char* rule, uint64_t now, const char* format, ...) {
        std::fprintf(stderr, "SDRAM: %s is broken in cycle %" PRIu64 ": ", rule, now);
        va_list values;
        va_start(values, format);
        std::vfprintf(stderr, format, values);
        va_end(values);
        std::fputc('\n', stderr);
        std::exit(SDRAM_BROKEN);
    }

    // Cycles from an event, of which 0 means never, until now must be at least `least`.
    void wait(const char* rule, uint64_t now, uint64_t since, uint64_t least, uint32_t bank) {
        if (since && now - since < least) [[unlikely]]
            broken(rule, now, "%" PRIu64 " cycles after cycle %" PRIu64 " where %" PRIu64 " are needed, bank %u", now - since,
                   since, least, bank);
    }

    void command(const SdramPins& pins, uint64_t now) {
        if (now - awake_ < rules_.init) broken("initialisation", now, "a command after %" PRIu64 " cycles", now - awake_);
        wait("tRFC", now, last_refresh_, rules_.rfc, pins.ba);
        wait("tMRD", now, mode_set_, rules_.mrd, pins.ba);
        switch (pins.ras << 2 | pins.cas << 1 | int(pins.we)) {
            case 0b100: return activate(pins, now);
            case 0b010: return read(pins, now);
            case 0b011: return write(pins, now);
            case 0b101: return precharge(pins, now);
            case 0b110: return refresh(pins, now);
            case 0b111: return set_mode(pins, now);
            default: broken("whole bursts", now, "a burst is stopped");
        }
    }

    void activate(const SdramPins& pins, uint64_t now) {
        Bank& bank = banks_[pins.ba];
        if (!ready_) broken("initialisation", now, "bank %u is activated before the mode is set", pins.ba);
        if (bank.open) broken("open bank", now, "bank %u is activated while its row %u is open", pins.ba, bank.row);
        wait("tRP", now, bank.precharged, rules_.rp, pins.ba);
        wait("tRC", now, bank.activated, rules_.rc, pins.ba);
        wait("tRRD", now, last_activate_, rules_.rrd, pins.ba);
        if (pins.a >> rules_.row_bits) broken("address", now, "row %u", pins.a);
        bank.open = true;
        bank.row = pins.a;
        bank.activated = last_activate_ = now;
        ++counts_.activations;
        const size_t row = (size_t(bank.row) << rules_.bank_bits) | pins.ba;
        if (fresh_[row]) fill(row);
    }

    // The checks that reads and writes have in common; the place of the burst.
    size_t column(const SdramPins& pins, uint64_t now) {
        Bank& bank = banks_[pins.ba];
        if (!bank.open) broken("closed row", now, "bank %u is accessed with no open row", pins.ba);
        wait("tRCD", now, bank.activated, rules_.rcd, pins.ba);
        if (now - bank.activated > rules_.most_ras)
            broken("longest tRAS", now, "row %u has been open since cycle %" PRIu64, bank.row, bank.activated);
        if (pins.a >> 10 & 1) broken("whole bursts", now, "automatic precharge");
        if (last_column_) wait("whole bursts", now, last_column_, BURST, pins.ba);
        const uint32_t column = (pins.a & 0x3ff) | (pins.a >> 11 << 10);
        if (column >> rules_.column_bits || column % BURST) broken("address", now, "column %u", column);
        last_column_ = now;
        return ((size_t(bank.row) << rules_.bank_bits | pins.ba) << rules_.column_bits) + column;
    }

    void read(const SdramPins& pins, uint64_t now) {
        const size_t place = column(pins, now);
        banks_[pins.ba].read = now;
        if (pins.dqm) broken("mask", now, "a masked read");
        for (unsigned word = 0; word < BURST; ++word) {
            const uint64_t cycle = now + rules_.cas + word;
            slots_[cycle % SLOTS] = {cycle, words_[place + word]};
        }
        driven_until_ = now + rules_.cas + BURST;
        if (!spoilt_.empty()) [[unlikely]]
            for (unsigned word = 0; word < BURST; ++word)
                if (const auto found = spoilt_.find(place + word); found != spoilt_.end())
                    slots_[(now + rules_.cas + word) % SLOTS].word ^= found->second;
    }

    void write(const SdramPins& pins, uint64_t now) {
        write_place_ = column(pins, now);
        banks_[pins.ba].write = now;
        written_until_ = now + BURST;
        // The chip lets go of the bus only after the edge of its last word
        if (now <= driven_until_) broken("bus", now, "a write while the chip drives, until cycle %" PRIu64, driven_until_ - 1);
    }

    void take(const SdramPins& pins, uint64_t now) {
        if (!pins.dq_oe) broken("bus", now, "a word that is written is not driven");
        Word word = Word(pins.dq_o);
        if (pins.dqm) {
            Word kept = 0;
            for (unsigned byte = 0; byte * 8 < rules_.data_bits; ++byte)
                if (pins.dqm >> byte & 1) kept |= Word(0xff) << (byte * 8);
            word = Word((word & ~kept) | (words_[write_place_] & kept));
        }
        if (!--next_error_) [[unlikely]] {
            word ^= Word(1) << (draw() % rules_.data_bits);
            next_error_ = draw_error();
        }
        words_[write_place_++] = word;
        ++counts_.written;
    }

    void precharge(const SdramPins& pins, uint64_t now) {
        const bool all = pins.a >> 10 & 1;
        if (!all && !initialised()) broken("initialisation", now, "not all banks are precharged first");
        for (uint32_t number = 0; number < banks_.size(); ++number) {
            Bank& bank = banks_[number];
            if (!all && number != pins.ba) continue;
            if (!bank.open) {
                if (!bank.precharged) bank.precharged = now;
                continue;
            }
            if (initialised()) {
                wait("tRAS", now, bank.activated, rules_.ras, number);
                wait("whole bursts", now, bank.read, BURST, number);
                wait("tWR", now, bank.write, BURST - 1 + rules_.wr, number);
                if (now - bank.activated > rules_.most_ras)
                    broken("longest tRAS", now, "row %u was opened in cycle %" PRIu64, bank.row, bank.activated);
            }
            bank.open = false;
            bank.precharged = now;
        }
        if (all) all_precharged_ = true;
    }

    // No bank is open, and the last precharge was long enough ago.
    void idle(const char* what, uint64_t now) {
        if (!all_precharged_) broken("initialisation", now, "%s before all banks are precharged", what);
        for (uint32_t number = 0; number < banks_.size(); ++number) {
            if (banks_[number].open) broken("open bank", now, "%s while row %u of bank %u is open", what, banks_[number].row, number);
            wait("tRP", now, banks_[number].precharged, rules_.rp, number);
        }
    }

    void refresh(const SdramPins&, uint64_t now) {
        idle("a refresh", now);
        // The rows that were refreshed a whole round ago have their turn
        uint64_t& round_ago = refreshed_[count_++ % rules_.refreshes];
        if (ready_ && round_ago && now - round_ago > rules_.window)
            broken("refresh window", now, "rows were refreshed last in cycle %" PRIu64, round_ago);
        round_ago = last_refresh_ = now;
        ++counts_.refreshes;
        ++since_awake_;
        if (ready_) {
            ++owed_from_;
            plan_refresh();
        }
    }

    // A refresh may be late by one interval, both after the last one and on average.
    void plan_refresh() {
        const uint64_t gap = last_refresh_ + 2 * rules_.window / rules_.refreshes;
        const uint64_t average = ready_ + (owed_from_ + 2) * rules_.window / rules_.refreshes;
        refresh_by_ = gap < average ? gap : average;
    }

    void set_mode(const SdramPins& pins, uint64_t now) {
        idle("the mode is set", now);
        if (since_awake_ < INIT_REFRESHES) broken("initialisation", now, "the mode is set after %u refreshes", since_awake_);
        const uint32_t mode = uint32_t(rules_.cas << 4 | 3);  // bursts of eight consecutive words, read and written
        if (pins.a != mode || pins.ba) broken("mode", now, "0x%x in bank %u, where 0x%x is expected", pins.a, pins.ba, mode);
        mode_set_ = ready_ = now;
        owed_from_ = 0;
        plan_refresh();
    }

    bool initialised() const { return ready_; }

    // clk_en is low: whatever was under way ends, and the chip must be initialised again.
    void sleep(const SdramPins& pins, uint64_t now) {
        if (pins.cs && (pins.ras || pins.cas || pins.we)) broken("initialisation", now, "a command while clk_en is low");
        awake_ = now;
        ready_ = written_until_ = driven_until_ = 0;
        since_awake_ = 0;
        all_precharged_ = false;
        refresh_by_ = UINT64_MAX;
        for (Slot& slot : slots_) slot.cycle = 0;
        for (uint64_t& round_ago : refreshed_) round_ago = 0;
    }

    uint64_t draw() {  // splitmix64
        uint64_t word = state_ += 0x9e3779b97f4a7c15;
        word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
        word = (word ^ word >> 27) * 0x94d049bb133111eb;
        return word ^ word >> 31;
    }

    // Words until the next one that is written with a wrong bit.
    uint64_t draw_error() {
        if (error_rate_ <= 0) return UINT64_MAX;
        uint64_t words = 1;
        const uint64_t limit = error_rate_ >= 1 ? UINT64_MAX : uint64_t(error_rate_ * 18446744073709551616.0);
        while (draw() > limit) ++words;
        return words;
    }

    void fill(size_t row) {
        fresh_[row] = false;
        Word* word = words_ + (row << rules_.column_bits);
        for (size_t column = 0; column < size_t(1) << rules_.column_bits; ++column) word[column] = Word(draw());
    }

    const SdramRules rules_;
    std::vector<Bank> banks_;
    std::vector<bool> fresh_;  // rows that were never activated: their content is yet to be drawn
    Word* words_;              // by row, bank and column
    std::unordered_map<uint64_t, Word> spoilt_;
    uint64_t state_;
    const double error_rate_;
    uint64_t next_error_;  // words
    Counts counts_;
    Slot slots_[SLOTS];
    size_t write_place_ = 0;
    // Cycles; 0 for never
    uint64_t awake_ = 0, ready_ = 0, mode_set_ = 0, last_refresh_ = 0, last_activate_ = 0, last_column_ = 0;
    uint64_t written_until_ = 0, driven_until_ = 0, refresh_by_ = UINT64_MAX;
    std::vector<uint64_t> refreshed_;  // the last round of refreshes
    uint64_t count_ = 0, owed_from_ = 0;
    unsigned since_awake_ = 0;  // refreshes
    bool all_precharged_ = false;
};
