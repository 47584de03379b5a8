// Hostile bytes for the Verilated accelerator: bursts of random and mutated frames, and what must hold after each.
//
// Standard input is the plan: the contract's numbers and runs with known results, see zipsgd_sim.fuzz. Standard output is a
// line of JSON. The same plan and options give the same bytes.
//
// After each burst the device gets a SYNC and must answer it, and READs of all registers and of the model, in a bounded
// number of cycles. What it then holds is compared to what a host can know: see Reference. Every so often a whole training
// run must give the golden model's bits.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "clocked_board.hpp"
#include "fuzz_burst.hpp"
#include "fuzz_frames.hpp"
#include "fuzz_plan.hpp"
#include "fuzz_reference.hpp"

namespace fuzz {

// The device under test

struct Totals {
    uint64_t bursts = 0, frames = 0, damaged = 0, cycles = 0, answers = 0, acks = 0;
    uint64_t drained = 0, waiting = 0, overflowing = 0, runs = 0;
};

class Fuzzer {
    static constexpr uint64_t LONG = 100000;  // cycles in which the longest run of a plan is done

public:
    Fuzzer(const Plan& plan, uint64_t seed) : plan_(plan), seed_(seed), random_(0), reference_(plan) {}

    // All random choices within a burst depend on the seed and on the burst's number alone.
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

    // A run of the plan, which must give its results. Its table is not written again if the device still holds it.
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

    // Cycles in which an answer must come: time for a DATA frame under way, and then for this one.
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

    // Runs until a read behind all that was sent is answered, which must happen unless the device may wait for samples.
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

    // Sends a frame; false if there was no room for it.
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

    // Sends a frame; returns the words that answer it, if it `asks` for any.
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

}  // namespace fuzz

using namespace fuzz;

int main(int argc, char** argv) {
    std::map<std::string, uint64_t> options = {
        {"--frames", 1000}, {"--seed", 0}, {"--most", 40}, {"--every", 200}, {"--findings", 10}};
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
