// What the device may hold, as far as a host can know.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fuzz_frames.hpp"
#include "fuzz_plan.hpp"

namespace fuzz {

// What went wrong.
struct Finding {
    std::string what;
};

// What a host that sees every byte to the device knows of it.
//
// Frames that it counts as taken are carried out in order. Once all of them are known to be carried out (settle), registers
// and model have known values. If some may not be carried out, because a SYNC came or the device waits, each write may or may
// not have happened. If the receive buffer may have overflowed, any valid frame may have been taken. A register or a word of
// the model that no frame addressed keeps its value in any case.
class Reference {
public:
    explicit Reference(const Plan& plan)
        : plan_(plan), lane_mask_(plan["update_lanes"] - 1), address_mask_(plan["address_mask"]) {
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

    // Some of it may have been carried out.
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

    // Once SYNC has reset the datapath, registers must hold what they may hold; from then on their values are known.
    void check_registers(const Words& words) {
        for (size_t i = 0; i < words.size(); ++i) {
            const Access access = plan_.registers[i].access;
            if (access == Access::word || access == Access::constant) {
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
            if (row.access == Access::word || row.access == Access::setting) {
                if (certain) values_[address].clear();
                values_[address].insert(word & row.mask);
            }
            trains_ |= address == plan_["start"] && word;
            starts += address == plan_["start"] && word;
            if (trains_ && (address == plan_["start"] || address == plan_["features"] || address == plan_["heads_used"]))
                std::fill(model_.begin(), model_.begin() + extent(address == plan_["start"]), std::nullopt);
        });
    }

    // Words that an epoch may write: the chunks of its features, for each head. All words, if one of these numbers is unknown,
    // out of range, or no longer `fixed`.
    size_t extent(bool fixed) const {
        const auto& features = values_[plan_["features"]];
        const auto& heads = values_[plan_["heads_used"]];
        const size_t lanes = plan_["lanes"];
        if (!fixed || features.size() != 1 || (plan_["heads"] > 1 && heads.size() != 1)) return model_.size();
        const size_t words = (*features.begin() + lanes - 1) / lanes * lanes * (plan_["heads"] > 1 ? *heads.begin() : 1);
        return words && words <= model_.size() ? words : model_.size();
    }

    // Words are gathered into rows; the word for a row's last place writes the row.
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
    std::vector<Taken> frames_;  // valid ones since everything was known
    std::vector<std::set<uint32_t>> values_;
    std::vector<std::optional<uint32_t>> model_;
    std::deque<uint32_t> staged_;
    std::vector<Due> due_;
    uint32_t freed_ = 0;  // bytes of the receive buffer, at least
    bool waits_ = false;
    bool trains_ = false;  // an epoch may be under way
};

}  // namespace fuzz
