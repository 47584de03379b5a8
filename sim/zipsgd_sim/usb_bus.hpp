// A USB bus and the device's transceiver, at UTMI: packets in both directions at the bus's own pace, in cycles of the UTMI clock,
// which is a bit at full speed and a byte at high speed. Bits are stuffed, packets have their sync and end patterns, and a device
// that does not answer in time is not heard.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <vector>

namespace usb {

using Packet = std::vector<uint8_t>;

struct ToDevice {
    uint8_t rx_data = 0;
    bool rx_valid = false;
    bool rx_active = false;
    bool tx_ready = false;
    uint8_t line_state = 0;
    bool session_end = false;
};

struct FromDevice {
    uint8_t tx_data;
    bool tx_valid;
    bool term_select;
    uint8_t op_mode;
};

// Lets a cycle of the UTMI clock pass with these inputs, and tells the outputs in it.
using Cycle = std::function<FromDevice(const ToDevice&)>;

constexpr uint8_t SE0 = 0, J = 1, K = 2;

class Bus {
public:
    // `high`: whether the transceiver is of high speed. `errors`: the chance that a packet is damaged on its way.
    Bus(Cycle cycle, bool high, double errors, uint64_t seed)
        : cycle_(std::move(cycle)), transceiver_high_(high), errors_(errors), random_(seed) {}

    uint64_t now() const { return now_; }
    bool high() const { return high_; }
    void damages(bool now) { damages_ = now; }
    uint64_t damaged() const { return damaged_; }
    uint64_t uncalled() const { return uncalled_; }  // cycles in which the device has spoken without being asked
    uint64_t microseconds(double count) const { return uint64_t(count * (transceiver_high_ ? 60 : 12)); }
    // Cycles from the start of a frame, or of a microframe, to that of the next
    uint64_t frame() const { return high_ ? 7500 : microseconds(1000); }

    // Nobody speaks.
    void idle(uint64_t cycles) {
        for (; cycles; --cycles) uncalled_ += step(quiet()).tx_valid;
    }

    // No host is there. A transceiver of high speed notices the cable, and pins do not.
    void away(uint64_t cycles) {
        high_ = false;
        for (; cycles; --cycles) step({.line_state = J, .session_end = transceiver_high_});
    }

    // Resets the device and finds out its speed. A real host takes 10 ms or more, which makes no difference to the device.
    void reset() {
        constexpr uint8_t CHIRP = 2;
        high_ = false;
        const uint64_t begin = now_;
        bool chirps = false;
        // A device that was at high speed takes 3.2 ms to tell a reset from a suspended bus.
        while (now_ < begin + microseconds(transceiver_high_ ? 4000 : 100) && !chirps) {
            const FromDevice said = step({.line_state = SE0});
            chirps = transceiver_high_ && said.tx_valid && said.op_mode == CHIRP;
        }
        if (!chirps) return idle(microseconds(10));
        while (step({.line_state = K}).tx_valid) {}
        idle_as(SE0, microseconds(50));
        for (int pair = 0; pair < 4; ++pair) {
            idle_as(K, microseconds(50));
            idle_as(J, microseconds(50));
        }
        high_ = true;
        idle(microseconds(50));
    }

    // Sends a packet to the device.
    void send(Packet packet) {
        damage(packet);
        const unsigned sync = high_ ? 32 : 8;
        for (unsigned bit = per_cycle(); bit < sync; bit += per_cycle()) step({.line_state = busy()});
        step({.rx_active = true, .line_state = busy()});
        unsigned ones = 1;  // of the sync pattern's end
        unsigned late = 0;  // bits stuffed since the last whole cycle of them
        for (const uint8_t byte : packet) {
            late += stuffed(byte, ones);
            unsigned cycles = 8 / per_cycle();
            for (; late >= per_cycle(); late -= per_cycle()) ++cycles;
            for (; cycles > 1; --cycles) step({.rx_active = true, .line_state = busy()});
            step({.rx_data = byte, .rx_valid = true, .rx_active = true, .line_state = busy()});
        }
        for (unsigned bit = 0; bit < end_bits(); bit += per_cycle()) step({.line_state = high_ ? J : SE0});
    }

    // Waits for a packet of the device.
    std::optional<Packet> receive() {
        const unsigned patience = high_ ? 100 : 18;
        unsigned waited = 0;
        while (!step(quiet()).tx_valid)
            if (++waited == patience) return {};
        const unsigned sync = high_ ? 32 : 8;
        for (unsigned bit = per_cycle(); bit < sync; bit += per_cycle()) step({.line_state = busy()});
        Packet packet;
        unsigned ones = 1, late = 0;
        while (true) {
            const FromDevice said = step({.tx_ready = true, .line_state = busy()});
            if (!said.tx_valid) break;
            packet.push_back(said.tx_data);
            late += stuffed(said.tx_data, ones);
            unsigned cycles = 8 / per_cycle();
            for (; late >= per_cycle(); late -= per_cycle()) ++cycles;
            for (; cycles > 1; --cycles) step({.line_state = busy()});
        }
        for (unsigned bit = 0; bit < end_bits(); bit += per_cycle()) step({.line_state = high_ ? J : SE0});
        damage(packet);
        return packet;
    }

private:
    unsigned per_cycle() const { return high_ ? 8 : 1; }
    unsigned end_bits() const { return high_ ? 8 : 3; }
    uint8_t busy() const { return high_ ? J : K; }
    ToDevice quiet() const { return {.line_state = high_ ? SE0 : J}; }

    FromDevice step(const ToDevice& inputs) {
        ++now_;
        return cycle_(inputs);
    }

    void idle_as(uint8_t line_state, uint64_t cycles) {
        for (; cycles; --cycles) step({.line_state = line_state});
    }

    // Bits stuffed into a byte after a run of ones, which goes on.
    static unsigned stuffed(uint8_t byte, unsigned& ones) {
        unsigned count = 0;
        for (unsigned bit = 0; bit < 8; ++bit) {
            ones = (byte >> bit) & 1 ? ones + 1 : 0;
            if (ones == 6) {
                ++count;
                ones = 0;
            }
        }
        return count;
    }

    void damage(Packet& packet) {
        if (packet.empty() || !damages_ || errors_ <= 0 || std::uniform_real_distribution<>()(random_) >= errors_) return;
        ++damaged_;
        packet[random_() % packet.size()] ^= uint8_t(1u << (random_() % 8));
    }

    Cycle cycle_;
    bool transceiver_high_;
    bool high_ = false;
    double errors_;
    bool damages_ = false;
    std::mt19937_64 random_;
    uint64_t now_ = 0;
    uint64_t damaged_ = 0;
    uint64_t uncalled_ = 0;
};

}  // namespace usb
