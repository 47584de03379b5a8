// Hostile bytes for the Verilated accelerator: bursts of random and mutated frames, and what must hold after each.
//
// Standard input is the plan: the contract's numbers and runs with known results, see zipsgd_sim.fuzz. Standard output is a
// line of JSON. The same plan and options give the same bytes.
//
// After each burst the device gets a SYNC and must answer it, and READs of all registers and of the model, in a bounded
// number of cycles. What it then holds is compared to what a host can know: see Reference. Every so often a whole training
// run must give the golden model's bits.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "clocked_board.hpp"

namespace {

using Bytes = std::vector<uint8_t>;
using Words = std::vector<uint32_t>;

// What went wrong, and where.
struct Finding {
    std::string what;
};

// splitmix64
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    uint32_t below(uint32_t limit) { return uint32_t((next() >> 32) * limit >> 32); }
    bool percent(unsigned chance) { return below(100) < chance; }
    template <typename T> T pick(std::initializer_list<T> values) { return values.begin()[below(values.size())]; }
    Bytes bytes(size_t count) {
        Bytes drawn(count);
        for (uint8_t& byte : drawn) byte = next() >> 56;
        return drawn;
    }

private:
    uint64_t state_;
};

// The plan

enum class Access { constant, result, config, command, counter };

struct Register {
    Access access;
    uint32_t mask;
    uint32_t value;  // of a constant
};

// A frame of a run; `answer` where it asks: words, or nothing for one that may be anything.
struct Step {
    uint8_t kind;
    Bytes payload;
    std::optional<std::vector<std::optional<uint32_t>>> answer;
};

struct Plan {
    std::map<std::string, uint32_t> constants;
    std::vector<Register> registers;  // by address
    std::vector<std::vector<Step>> runs;

    uint32_t operator[](const char* name) const { return constants.at(name); }
};

Bytes from_hex(const std::string& text) {
    Bytes bytes;
    for (size_t i = 1; i + 1 < text.size(); i += 2) bytes.push_back(std::stoul(text.substr(i, 2), nullptr, 16));
    return bytes;
}

Plan read_plan(std::istream& in) {
    Plan plan;
    std::string word, name, hex;
    while (in >> word) {
        if (word == "constant") {
            in >> name >> plan.constants[name];
        } else if (word == "register") {
            static const std::map<std::string, Access> accesses = {{"constant", Access::constant},
                                                                   {"result", Access::result},
                                                                   {"config", Access::config},
                                                                   {"command", Access::command},
                                                                   {"counter", Access::counter}};
            uint32_t width, value;
            in >> name >> width >> value;
            plan.registers.push_back({accesses.at(name), uint32_t((uint64_t(1) << width) - 1), value});
        } else if (word == "run") {
            plan.runs.emplace_back();
        } else {
            unsigned kind, count;
            in >> kind >> hex;  // behind an x, so that it is never empty
            Step step{uint8_t(kind), from_hex(hex), {}};
            if (word == "ask") {
                in >> count;
                step.answer.emplace();
                for (; count; --count) {
                    in >> name;
                    if (name == "*") step.answer->push_back(std::nullopt);
                    else step.answer->push_back(std::stoul(name));
                }
            }
            plan.runs.back().push_back(std::move(step));
        }
    }
    return plan;
}

// Frames

constexpr unsigned CRC_BYTES = 4;

uint32_t crc32(const Bytes& bytes, size_t count) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < count; ++i) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

void append_word(Bytes& bytes, uint32_t word) {
    for (int i = 0; i < 4; ++i) bytes.push_back(word >> 8 * i);
}

uint32_t word_at(const Bytes& bytes, size_t place) {
    uint32_t word = 0;
    for (int i = 3; i >= 0; --i) word = word << 8 | bytes[place + i];
    return word;
}

// COBS, without the closing zero.
Bytes stuffed(const Bytes& body) {
    Bytes line{0};
    size_t code = 0;
    for (uint8_t byte : body) {
        if (line.size() - code == 0xFF) {
            line[code] = 0xFF;
            code = line.size();
            line.push_back(0);
        }
        if (byte) {
            line.push_back(byte);
        } else {
            line[code] = line.size() - code;
            code = line.size();
            line.push_back(0);
        }
    }
    line[code] = line.size() - code;
    return line;
}

std::optional<Bytes> unstuffed(const Bytes& line) {
    Bytes body;
    for (size_t at = 0; at < line.size();) {
        const size_t end = at + line[at];
        if (end > line.size()) return std::nullopt;
        body.insert(body.end(), line.begin() + at + 1, line.begin() + end);
        if (line[at] != 0xFF && end < line.size()) body.push_back(0);
        at = end;
    }
    return body;
}

struct Frame {
    uint8_t kind, sequence;
    Bytes payload;

    Bytes body() const {
        Bytes body{kind, sequence};
        body.insert(body.end(), payload.begin(), payload.end());
        append_word(body, crc32(body, body.size()));
        return body;
    }
};

std::optional<Frame> parsed(const Bytes& line) {
    const auto body = unstuffed(line);
    if (!body || body->size() < 2 + CRC_BYTES) return std::nullopt;
    const size_t end = body->size() - CRC_BYTES;
    if (crc32(*body, end) != word_at(*body, end)) return std::nullopt;
    return Frame{(*body)[0], (*body)[1], Bytes(body->begin() + 2, body->begin() + end)};
}

// What a host that sees every byte to the device knows of it.
//
// Frames it counts as taken are carried out in order. Where all are known to be (settle), registers and model have known
// values. Where some may not be, since a SYNC came or the device waits, each write may or may not have happened. Where the
// receive buffer may have overflowed, any good frame may have been taken. What nobody named keeps its value in any case.
class Reference {
public:
    explicit Reference(const Plan& plan)
        : plan_(plan), lane_mask_(plan["update_lanes"] - 1), address_mask_(2 * plan["doubt_window"] - 1) {
        reset();
    }

    void reset() {
        expected = last = 0;
        bad = skipped = 0;
        cost = 0;
        overflows = false;
        line_.clear();
        frames_.clear();
        freed_ = 0;
        trains_ = waits_ = false;
        due_.clear();
        values_.clear();
        for (const Register& row : plan_.registers) values_.push_back({row.value});
        model_.assign(plan_["max_features"], std::nullopt);
        staged_.clear();
        table_written = true;
    }

    void byte(uint8_t byte) {
        if (byte) line_.push_back(byte);
        else if (!line_.empty()) end();
    }

    // All that was taken has been carried out.
    void settle() {
        for (const Taken& frame : frames_)
            if (frame.taken) carry_out(frame, true);
        close();
        freed_ = cost;
    }

    // Some of it may have been.
    void maybe() {
        for (const Taken& frame : frames_)
            if (frame.taken || overflows) carry_out(frame, false);
        close();
    }

    // An ACK counts so many bytes freed.
    void free(uint16_t freed) { freed_ = cost - uint16_t(cost - freed); }

    // Whether a taken frame may have to wait for more than the device's own work.
    bool may_wait() const { return waits_; }

    // A DATA frame; false if nobody asked for it.
    bool answers(const Frame& frame) {
        for (size_t i = 0; i < due_.size(); ++i) {
            if (due_[i].sequence != frame.sequence || 4 * due_[i].count != frame.payload.size()) continue;
            if (!due_[i].fits(*this, frame)) return false;
            if (overflows) {
                due_.erase(due_.begin() + i);
                return true;
            }
            const auto end = due_.begin() + i;
            if (!std::all_of(due_.begin(), end, [](const Due& due) { return due.dropped; })) return false;
            due_.erase(due_.begin(), end + 1);
            return true;
        }
        return false;
    }
    bool answers_due() const {
        return std::any_of(due_.begin(), due_.end(), [](const Due& due) { return !due.dropped; });
    }
    bool asked(uint8_t sequence) const {
        return std::any_of(due_.begin(), due_.end(), [=](const Due& due) { return due.sequence == sequence; });
    }
    void forget_answers() { due_.clear(); }

    // What all registers may hold once SYNC has reset the datapath; then it is known.
    void check_registers(const Words& words) {
        for (size_t i = 0; i < words.size(); ++i) {
            const Access access = plan_.registers[i].access;
            if (access == Access::config || access == Access::constant) {
                if (!values_[i].count(words[i])) throw Finding{"register " + std::to_string(i) + " changed"};
                values_[i] = {words[i]};
            } else if (access != Access::counter && words[i]) {
                throw Finding{"register " + std::to_string(i) + " is not zero after SYNC"};
            }
        }
        const uint16_t counted_bad = words[plan_["frames_bad"]], counted_skipped = words[plan_["frames_skipped"]];
        if (!overflows && (counted_bad != bad || counted_skipped != skipped)) throw Finding{"frames miscounted"};
        bad = counted_bad;
        skipped = counted_skipped;
        overflows = false;
    }

    void check_model(const Words& words) {
        for (size_t i = 0; i < words.size(); ++i) {
            if (model_[i] && *model_[i] != words[i]) throw Finding{"model word " + std::to_string(i) + " changed"};
            model_[i] = words[i];
        }
    }
    bool model_is_known() const {
        return std::all_of(model_.begin(), model_.end(), [](const auto& word) { return bool(word); });
    }

    uint8_t expected, last;
    uint16_t bad, skipped;
    uint32_t cost;        // bytes of the receive buffer taken since SYNC
    bool overflows;       // it may have been full
    bool table_written;   // a word of the level window may have been
    uint64_t taken = 0, starts = 0;

private:
    struct Taken {
        Frame frame;
        bool taken;
    };
    struct Due {
        uint8_t sequence;
        uint32_t address, count;
        bool dropped = false;  // perhaps, by a SYNC

        bool fits(const Reference& reference, const Frame& frame) const {
            for (uint32_t i = 0; i < count; ++i) {
                const uint32_t place = (address + i) & reference.address_mask_, word = word_at(frame.payload, 4 * i);
                if (place & reference.plan_["model_window"]) continue;
                const bool known = place < reference.plan_.registers.size();
                const Register row = known ? reference.plan_.registers[place] : Register{Access::constant, ~0u, 0};
                if (row.access == Access::constant && word != row.value) return false;
                if (word & ~row.mask) return false;
            }
            return true;
        }
    };

    void close() {
        frames_.clear();
        waits_ = false;
    }

    void end() {
        const auto frame = parsed(line_);
        line_.clear();
        if (!frame || frame->payload.size() > plan_["max_payload"]) {
            ++bad;
            return;
        }
        last = frame->sequence;
        if (frame->kind == plan_["sync"]) {
            maybe();
            expected = frame->sequence + 1;
            cost = freed_ = 0;
            trains_ = false;
            staged_.clear();
            for (Due& due : due_) due.dropped = true;
            return;
        }
        const bool turn = frame->sequence == expected;
        if (turn) {
            ++expected;
            ++taken;
            cost += plan_["overhead"] + frame->payload.size();
            overflows |= cost - freed_ > plan_["rx_bytes"];
        } else {
            ++skipped;
        }
        frames_.push_back({*frame, turn});
        const Bytes& payload = frame->payload;
        if (frame->kind == plan_["samples"] && !payload.empty()) waits_ = true;
        if (frame->kind == plan_["write"])
            writes(payload, [&](uint32_t address, uint32_t word) { waits_ |= address == plan_["start"] && word; });
        if (frame->kind == plan_["read"] || frame->kind == plan_["fence"]) {
            const uint32_t count = payload.size() < 8 ? 0 : word_at(payload, 4);
            if (count && count <= plan_["read_words"] && (turn || overflows))
                due_.push_back({frame->sequence, word_at(payload, 0), count});
        }
    }

    template <typename Each> void writes(const Bytes& payload, Each each) const {
        for (size_t i = 4; i + 4 <= payload.size(); i += 4)
            each((word_at(payload, 0) + uint32_t(i / 4 - 1)) & address_mask_, word_at(payload, i));
    }

    void carry_out(const Taken& taken, bool certain) {
        const Bytes& payload = taken.frame.payload;
        const uint32_t model = plan_["model_window"], level = plan_["level_window"];
        if (taken.frame.kind == plan_["read"] || taken.frame.kind == plan_["fence"]) staged_.clear();
        if (taken.frame.kind != plan_["write"]) return;
        writes(payload, [&](uint32_t address, uint32_t word) {
            table_written |= bool(address & level);
            if (address & model) return write_model(address & (model - 1), word, certain);
            if (address >= plan_.registers.size()) return;
            const Register& row = plan_.registers[address];
            if (row.access == Access::config) {
                if (certain) values_[address].clear();
                values_[address].insert(word & row.mask);
            }
            trains_ |= address == plan_["start"] && word;
            starts += address == plan_["start"] && word;
            if (trains_ && (address == plan_["start"] || address == plan_["features"] || address == plan_["heads_used"]))
                std::fill(model_.begin(), model_.begin() + extent(address == plan_["start"]), std::nullopt);
        });
    }

    // Words that an epoch may write: what the chunks of its features hold, for each head; all, if a number of them is not
    // known, out of range, or `fixed` no longer.
    size_t extent(bool fixed) const {
        const auto& features = values_[plan_["features"]];
        const auto& heads = values_[plan_["heads_used"]];
        const size_t lanes = plan_["lanes"];
        if (!fixed || features.size() != 1 || (plan_["heads"] > 1 && heads.size() != 1)) return model_.size();
        const size_t words = (*features.begin() + lanes - 1) / lanes * lanes * (plan_["heads"] > 1 ? *heads.begin() : 1);
        return words && words <= model_.size() ? words : model_.size();
    }

    // Words are gathered to rows, and the last place of a row writes it.
    void write_model(uint32_t offset, uint32_t word, bool certain) {
        const size_t width = lane_mask_ + 1;
        staged_.push_back(word);
        if (staged_.size() > width) staged_.pop_front();
        if ((offset & lane_mask_) != lane_mask_ || offset >= model_.size()) return;
        for (size_t i = 0; i < width; ++i) {
            auto& kept = model_[offset - lane_mask_ + i];
            kept.reset();
            if (certain && staged_.size() == width) {
                const unsigned spare = 32 - plan_["model_bits"];
                kept = uint32_t(int32_t(staged_[i] << spare) >> spare);
            }
        }
    }

    const Plan& plan_;
    const uint32_t lane_mask_, address_mask_;
    Bytes line_;
    std::vector<Taken> frames_;  // good ones since all was known
    std::vector<std::set<uint32_t>> values_;
    std::vector<std::optional<uint32_t>> model_;
    std::deque<uint32_t> staged_;
    std::vector<Due> due_;
    uint32_t freed_ = 0;  // bytes of the receive buffer, at least
    bool waits_ = false;
    bool trains_ = false;  // an epoch may be under way
};

// Bytes to the device

class Burst {
public:
    // `put` sends a byte, on which the reference's expected number depends.
    Burst(const Plan& plan, const Reference& reference, Random& random, std::function<void(uint8_t)> put)
        : plan_(plan), reference_(reference), random_(random), put_(std::move(put)) {}

    // Frames one by one and in scenarios.
    void send(unsigned most) {
        const unsigned wanted = 1 + random_.below(random_.pick({3u, most / 3, most}));
        noise_ = random_.pick({0u, 5u, 40u, 80u});
        while (frames < wanted) {
            switch (random_.below(10)) {
                case 0: epoch(); break;
                case 1: configure(); break;
                case 2: interrupt(); break;
                default: good(random_kind(), random_payload()); break;
            }
        }
    }

    unsigned frames = 0, damaged = 0;

private:
    uint32_t odd_number(uint32_t limit) {
        return random_.pick({0u, 1u, limit - 1, limit, limit + 1, random_.below(limit + 1), random_.below(limit + 1),
                             2 * limit, ~0u, uint32_t(random_.next())});
    }

    uint32_t address() {
        const uint32_t window = plan_["model_window"], features = plan_["max_features"];
        switch (random_.below(9)) {
            case 0: return window + random_.below(features + 8);
            case 1: return window + random_.below(features / 4) * 4;
            case 2: return random_.pick({plan_["level_window"], plan_["coefficient_window"], plan_["doubt_window"]}) + random_.below(512);
            case 3: return random_.pick({1u, 2u, 3u, 4u, 8u, 16u, 1u << 14}) * window - random_.below(8);
            case 4: return random_.next();
            case 5: return random_.below(128);
            default: return random_.below(plan_.registers.size());
        }
    }

    uint8_t random_kind() {
        return random_.pick<uint32_t>({plan_["write"], plan_["write"], plan_["write"], plan_["read"], plan_["read"],
                                       plan_["fence"], plan_["samples"], plan_["samples"], plan_["sync"], plan_["ack"],
                                       plan_["data"], random_.below(256)});
    }

    Bytes random_payload() {
        Bytes payload;
        switch (random_.below(5)) {
            case 0: return random_.bytes(random_.below(16));
            case 1: return random_.bytes(random_.percent(10) ? random_.below(plan_["max_payload"] + 1) : random_.below(64));
            case 2:
                append_word(payload, address());
                append_word(payload, odd_number(plan_["read_words"]));
                break;
            default:
                append_word(payload, address());
                for (unsigned count = random_.percent(5) ? 127 : random_.below(9); count; --count)
                    append_word(payload, odd_number(random_.pick({3u, 8u, 64u, plan_["max_features"]})));
        }
        if (random_.percent(5)) payload.resize(payload.size() + random_.below(4), 0xEE);
        return payload;
    }

    void write(uint32_t address, uint32_t word) {
        Bytes payload;
        append_word(payload, address);
        append_word(payload, word);
        good(plan_["write"], payload);
    }

    // Run configuration in or out of range.
    void configure() {
        const uint32_t first = plan_["features"];
        Bytes payload;
        append_word(payload, first);
        const bool honest = random_.percent(50);
        for (uint32_t limit : {plan_["max_features"], plan_["p_max"], plan_["m_max"], plan_["max_batch"], 1u,
                               random_.percent(50) ? 0u : plan_["level_bits"], plan_["last_loss"], plan_["polynomial"], 2u,
                               0u, plan_["heads"], 1u})
            append_word(payload, honest ? limit - random_.below(limit ? limit : 1) : odd_number(limit));
        good(plan_["write"], payload);
    }

    // An epoch, more or less.
    void epoch() {
        if (random_.percent(70)) configure();
        if (random_.percent(50)) write(plan_["control"], random_.below(8));
        write(plan_["start"], random_.percent(80) ? 1 + random_.below(9) : odd_number(9));
        for (unsigned count = random_.below(4); count; --count) {
            if (random_.percent(10)) write(plan_["start"], 1 + random_.below(5));
            if (random_.percent(10)) write(address(), odd_number(8));
            good(plan_["samples"], random_.bytes(random_.below(200)));
        }
        if (random_.percent(30)) write(plan_["control"], plan_["abort"]);
    }

    // A SYNC at any time of another frame's life; empty frames are time that passes.
    void interrupt() {
        good(random_kind(), random_payload());
        for (unsigned count = random_.below(random_.pick({20u, 100u, 400u})); count; --count) put_(0);
        good(plan_["sync"], {});
    }

    // A good frame, whose turn it is, or what is left of it.
    void good(uint8_t kind, const Bytes& payload) {
        ++frames;
        Frame frame{kind, reference_.expected, payload};
        if (!random_.percent(noise_)) return line(stuffed(frame.body()), true);
        ++damaged;
        switch (random_.below(8)) {
            case 0:  // out of turn
                frame.sequence += random_.pick({1, 2, 128, 255, int(random_.below(256))});
                return line(stuffed(frame.body()), true);
            case 1: {  // with a good CRC, too short or too long
                Bytes body = random_.bytes(random_.percent(50) ? random_.below(2) : plan_["max_payload"] + random_.below(300));
                append_word(body, crc32(body, body.size()));
                return line(stuffed(body), true);
            }
            case 2: {  // just within the length, or just beyond
                frame.payload.resize(plan_["max_payload"] + random_.below(3) - 1, random_.below(3));
                return line(stuffed(frame.body()), true);
            }
            case 3: {  // damaged before it was coded
                Bytes body = frame.body();
                mutate(body);
                return line(stuffed(body), true);
            }
            case 4: {  // noise, with zeros in it or without
                Bytes noise = random_.bytes(random_.below(random_.percent(5) ? 1500 : 80));
                if (random_.percent(50)) std::replace(noise.begin(), noise.end(), uint8_t(0), uint8_t(7));
                return line(noise, random_.percent(80));
            }
            default: {  // damaged on the line
                Bytes coded = stuffed(frame.body());
                mutate(coded);
                return line(coded, random_.percent(90));
            }
        }
    }

    void mutate(Bytes& bytes) {
        for (unsigned count = 1 + random_.below(3); count && !bytes.empty(); --count) {
            const auto place = bytes.begin() + random_.below(bytes.size());
            switch (random_.below(6)) {
                case 0: *place ^= 1 << random_.below(8); break;
                case 1: *place = random_.next() >> 56; break;
                case 2: bytes.insert(place, random_.pick({uint8_t(0), uint8_t(1), uint8_t(255), uint8_t(random_.below(256))})); break;
                case 3: bytes.erase(place); break;
                case 4: bytes.erase(place, bytes.end()); break;
                case 5: {
                    const Bytes part(place, std::min(bytes.end(), place + 8));
                    bytes.insert(bytes.end(), part.begin(), part.end());
                    break;
                }
            }
        }
    }

    void line(const Bytes& bytes, bool ends) {
        for (uint8_t byte : bytes) put_(byte);
        if (ends) put_(0);
    }

    const Plan& plan_;
    const Reference& reference_;
    Random& random_;
    std::function<void(uint8_t)> put_;
    unsigned noise_ = 0;  // percent of frames that are not as they should be
};

// The device under test

struct Totals {
    uint64_t bursts = 0, frames = 0, damaged = 0, cycles = 0, answers = 0, acks = 0, drained = 0, waiting = 0, overflowing = 0, runs = 0;
};

class Fuzzer {
    static constexpr uint64_t LONG = 100000;  // cycles in which the longest run of a plan is done

public:
    Fuzzer(const Plan& plan, uint64_t seed) : plan_(plan), seed_(seed), random_(0), reference_(plan) {}

    // Everything that depends on chance within a burst depends on its number alone.
    void burst(uint64_t number, unsigned most) {
        random_ = Random(seed_ ^ number * 0xD1B54A32D192ED03);
        sent_.clear();
        ++totals.bursts;
        rx_pause_ = random_.pick({0u, 0u, 50u});
        tx_pause_ = random_.pick({0u, 0u, 60u, 100u});
        Burst burst(plan_, reference_, random_, [this](uint8_t byte) { put(byte); });
        burst.send(most);
        totals.frames += burst.frames;
        totals.damaged += burst.damaged;
        while (!in_.empty()) cycle();
        if (random_.percent(50)) drain();
        else run(random_.below(600));
        reference_.maybe();  // of what drain() has not settled
        totals.overflowing += reference_.overflows;
        tx_pause_ = tx_pause_ == 100 ? 0 : tx_pause_;
        synchronise();
        reference_.check_registers(read(0, plan_.registers.size()));
        if (!reference_.model_is_known() || random_.percent(10)) read_model();
    }

    // A run of the plan, which must give its results; the table that it needs is left as it was, if nobody touched it.
    void golden(size_t number) {
        rx_pause_ = tx_pause_ = 0;
        sent_.clear();
        const bool keeps_table = table_of_ == number && !reference_.table_written;
        for (const Step& step : plan_.runs[number]) {
            if (step.kind == plan_["write"] && word_at(step.payload, 0) & plan_["level_window"]) {
                if (keeps_table) continue;
                table_of_ = number;
            }
            const Words words = send(step.kind, step.payload, bool(step.answer));
            for (size_t i = 0; i < words.size(); ++i)
                if ((*step.answer)[i] && *(*step.answer)[i] != words[i]) throw Finding{"other bits than the golden model's"};
        }
        ++totals.runs;
        reference_.table_written = false;
        read_model();
    }

    void reset() {
        board_.reset();
        reference_.reset();
        in_.clear();
        line_.clear();
        data_.reset();
        ack_ = {};
    }

    std::string sent_hex() const {
        std::string text;
        char hex[3];
        for (uint8_t byte : sent_) {
            std::snprintf(hex, sizeof hex, "%02x", byte);
            text += hex;
        }
        return text;
    }

    Totals totals;
    const Reference& reference() const { return reference_; }

private:
    struct Ack {
        uint8_t expected = 0;
        uint16_t freed = 0;
        uint8_t last = 0;
        bool operator==(const Ack&) const = default;
    };

    // Cycles in which an answer must come: a DATA frame under way is made and sent, and then this one.
    uint64_t patience() const { return (tx_pause_ ? 4 : 1) * 4000; }

    void put(uint8_t byte) {
        in_.push_back(byte);
        sent_.push_back(byte);
        reference_.byte(byte);
    }

    void cycle() {
        ++totals.cycles;
        const bool give = !in_.empty() && !(rx_pause_ && random_.percent(rx_pause_));
        board_->PORT(rx, valid) = give;
        if (give) {
            board_->PORT(rx, payload) = in_.front();
            in_.pop_front();
        }
        const bool take = !(tx_pause_ && random_.percent(tx_pause_));
        board_->PORT(tx, ready) = take;
        int byte = -1;
        board_.clock([&] {
            if (take && board_->PORT(tx, valid)) byte = board_->PORT(tx, payload);
        });
        if (byte > 0) line_.push_back(byte);
        if (byte == 0) frame();
    }

    void run(uint64_t cycles) {
        for (; cycles; --cycles) cycle();
    }

    template <typename Condition> bool until(Condition condition, uint64_t limit) {
        for (; !condition(); --limit) {
            if (!limit) return false;
            cycle();
        }
        return true;
    }

    // A frame from the device
    void frame() {
        const auto frame = parsed(line_);
        line_.clear();
        if (!frame) throw Finding{"the device sent what is no frame"};
        if (frame->kind == plan_["ack"] && frame->payload.size() == 3) {
            ack_ = {frame->sequence, uint16_t(frame->payload[0] | frame->payload[1] << 8), frame->payload[2]};
            ++totals.acks;
        } else if (frame->kind == plan_["data"]) {
            if (!reference_.answers(*frame)) throw Finding{"an answer that nobody asked for, or a wrong one"};
            data_ = *frame;
            ++totals.answers;
        } else {
            throw Finding{"the device sent a frame that is none of its own"};
        }
    }

    // Until a read behind all that was sent is answered, which must happen unless the device may wait for samples.
    void drain() {
        put(0);  // the last frame may have no end
        if (tx_pause_ == 100 || reference_.overflows) return;
        const bool may_wait = reference_.may_wait();
        const uint64_t limit = may_wait ? 4000 : patience() + 100 * uint64_t(plan_["rx_bytes"]);
        const Frame probe{uint8_t(plan_["read"]), reference_.expected, Bytes{0, 0, 0, 0, 1, 0, 0, 0}};
        if (sent(probe, limit) && answered(probe, limit)) {
            if (reference_.answers_due()) throw Finding{"a read was not answered"};
            reference_.settle();
            ++totals.drained;
        } else if (!may_wait) {
            throw Finding{"the device does not carry out what it has taken"};
        } else {
            ++totals.waiting;
        }
    }

    // Whether there was room for a frame, which then is with the device.
    bool sent(const Frame& frame, uint64_t limit) {
        const uint32_t size = plan_["overhead"] + frame.payload.size();
        if (!until([&] { return uint16_t(reference_.cost - ack_.freed) + size <= plan_["rx_bytes"]; }, limit)) return false;
        reference_.free(ack_.freed);
        for (uint8_t byte : stuffed(frame.body())) put(byte);
        put(0);
        data_.reset();
        while (!in_.empty()) cycle();
        return true;
    }

    bool answered(const Frame& frame, uint64_t limit) {
        return until([&] { return data_ && data_->sequence == frame.sequence; }, limit);
    }

    // Sends a frame; the words that answer it, if it is `asks`.
    Words send(uint8_t kind, const Bytes& payload, bool asks, uint64_t limit = LONG) {
        const Frame frame{kind, reference_.expected, payload};
        if (!sent(frame, limit)) throw Finding{"no room for a frame"};
        Words words;
        if (!asks) return words;
        if (!answered(frame, limit)) throw Finding{"a read is not answered"};
        for (size_t i = 0; i < data_->payload.size(); i += 4) words.push_back(word_at(data_->payload, i));
        reference_.settle();
        return words;
    }

    void synchronise() {
        uint8_t number = random_.below(256);
        while (reference_.asked(number + 1)) ++number;
        put(0);
        for (uint8_t byte : stuffed(Frame{uint8_t(plan_["sync"]), number, {}}.body())) put(byte);
        put(0);
        while (!in_.empty()) cycle();
        const Ack due{uint8_t(number + 1), 0, number};
        if (!until([&] { return ack_ == due; }, patience())) throw Finding{"SYNC is not answered"};
        reference_.forget_answers();
    }

    Words read(uint32_t address, uint32_t count) {
        Words words;
        while (count) {
            const uint32_t part = std::min(count, plan_["read_words"]);
            Bytes payload;
            append_word(payload, address);
            append_word(payload, part);
            const Words more = send(plan_["read"], payload, true, patience());
            words.insert(words.end(), more.begin(), more.end());
            address += part;
            count -= part;
        }
        return words;
    }

    void read_model() { reference_.check_model(read(plan_["model_window"], plan_["max_features"])); }

    const Plan& plan_;
    const uint64_t seed_;
    Random random_;
    ClockedBoard board_;
    Reference reference_;
    std::deque<uint8_t> in_;
    Bytes sent_;  // since the burst began
    Bytes line_;
    Ack ack_;
    std::optional<Frame> data_;
    size_t table_of_ = ~size_t(0);  // run whose table the device holds
    unsigned rx_pause_ = 0, tx_pause_ = 0;  // percent of cycles
};

}  // namespace

int main(int argc, char** argv) {
    std::map<std::string, uint64_t> options = {{"--frames", 1000}, {"--seed", 0}, {"--most", 40}, {"--every", 200}, {"--findings", 10}};
    for (int i = 1; i + 1 < argc; i += 2) options.at(argv[i]) = std::strtoull(argv[i + 1], nullptr, 10);
    const Plan plan = read_plan(std::cin);
    Fuzzer fuzzer(plan, options["--seed"]);
    std::string findings;
    unsigned found = 0;
    uint64_t number = 0;
    for (; fuzzer.totals.frames < options["--frames"] && found < options["--findings"]; ++number) {
        try {
            if (number % options["--every"] == 0) fuzzer.golden(number / options["--every"] / 2 % plan.runs.size());
            fuzzer.burst(number, options["--most"]);
        } catch (const Finding& finding) {
            findings += std::string(found++ ? ", " : "") + "{\"burst\": " + std::to_string(number) + ", \"what\": \"" +
                        finding.what + "\", \"sent\": \"" + fuzzer.sent_hex() + "\"}";
            fuzzer.reset();
        }
    }
    const Totals& totals = fuzzer.totals;
    const std::pair<const char*, uint64_t> counts[] = {
        {"bursts", totals.bursts},
        {"frames", totals.frames},
        {"damaged", totals.damaged},
        {"taken", fuzzer.reference().taken},
        {"cycles", totals.cycles},
        {"acks", totals.acks},
        {"answers", totals.answers},
        {"epochs started", fuzzer.reference().starts},
        {"bursts carried out", totals.drained},
        {"bursts left waiting", totals.waiting},
        {"bursts beyond the buffer", totals.overflowing},
        {"golden runs", totals.runs},
    };
    std::printf("{");
    for (const auto& [name, count] : counts) std::printf("\"%s\": %llu, ", name, (unsigned long long)count);
    std::printf("\"findings\": [%s]}\n", findings.c_str());
    return 0;
}
