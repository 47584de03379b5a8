// Bursts of bytes to the device: valid, mutated and random frames.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "fuzz_frames.hpp"
#include "fuzz_plan.hpp"
#include "fuzz_reference.hpp"

namespace fuzz {

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
            case 2:
                return random_.pick({plan_["level_window"], plan_["coefficient_window"], plan_["doubt_window"],
                                     plan_["variance_window"], plan_["score_window"]}) +
                       random_.below(512);
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

    // An epoch, complete or not.
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

    // A SYNC at any time while another frame is handled; empty frames let time pass.
    void interrupt() {
        good(random_kind(), random_payload());
        for (unsigned count = random_.below(random_.pick({20u, 100u, 400u})); count; --count) put_(0);
        good(plan_["sync"], {});
    }

    // A valid frame with the expected number, or a damaged one.
    void good(uint8_t kind, const Bytes& payload) {
        ++frames;
        Frame frame{kind, reference_.expected, payload};
        if (!random_.percent(noise_)) return line(stuffed(frame.body()), true);
        ++damaged;
        switch (random_.below(8)) {
            case 0:  // out of order
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
                case 2: {
                    const uint8_t byte = random_.pick({0u, 1u, 255u, random_.below(256)});
                    bytes.insert(place, byte);
                    break;
                }
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
    unsigned noise_ = 0;  // percent of frames that are damaged
};

}  // namespace fuzz
