// A USB host: it finds the device, configures it as a serial port, and moves bytes to and from its data endpoints, as the host
// controller and the drivers of a computer do.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "usb_bus.hpp"

namespace usb {

enum Pid : uint8_t {
    OUT = 0xE1, IN = 0x69, SOF = 0xA5, SETUP = 0x2D, PING = 0xB4,
    DATA0 = 0xC3, DATA1 = 0x4B,
    ACK = 0xD2, NAK = 0x5A, STALL = 0x1E,
    NOTHING = 0,  // nothing intelligible came in time
};

inline uint8_t crc5(unsigned bits) {
    unsigned crc = 0x1F;
    for (unsigned i = 0; i < 11; ++i) {
        const bool bit = ((bits >> i) & 1) != (crc & 1);
        crc = (crc >> 1) ^ (bit ? 0x14 : 0);
    }
    return crc ^ 0x1F;
}

inline uint16_t crc16(const uint8_t* data, size_t size) {
    unsigned crc = 0xFFFF;
    for (size_t i = 0; i < size; ++i) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xA001 : 0);
    }
    return crc ^ 0xFFFF;
}

class Host {
public:
    explicit Host(Bus bus) : bus_(std::move(bus)) {}

    // Runs the bus for a transaction, or until the device is configured. True if a byte moved.
    bool turn(std::deque<uint8_t>& in, std::vector<uint8_t>& out, uint64_t& received) {
        if (!plugged_) {
            bus_.away(SLICE);
            return false;
        }
        if (!configured_) {
            enumerate();
            return true;
        }
        begin_frame();
        if (packet_.empty() && !in.empty()) {
            const size_t size = std::min<size_t>(in.size(), packet_bytes_);
            packet_.assign(in.begin(), in.begin() + size);
            in.erase(in.begin(), in.begin() + size);
            received += size;
        }
        // A controller does not ask again at once after a NAK: other endpoints have their turn first.
        if (!packet_.empty() && asked_ < ASK_EVERY) {
            ++asked_;
            return give();
        }
        asked_ = 0;
        return take(out);
    }

    // The device is pulled off the bus, with whatever was on its way.
    void unplug() {
        plugged_ = configured_ = false;
        packet_.clear();
        bus_.away(SLICE);
    }

    void plug() { plugged_ = true; }
    bool configured() const { return configured_; }

    void print() const {
        std::printf("{\"speed\": \"%s\", \"vendor\": %u, \"product\": %u, \"manufacturer\": \"%s\", \"name\": \"%s\", "
                    "\"enumerations\": %llu, \"out_packets\": %llu, \"in_packets\": %llu, \"naks\": %llu, \"retries\": %llu, "
                    "\"damaged\": %llu, \"uncalled\": %llu, \"most_out_in_a_frame\": %u, \"bus_cycles\": %llu}\n",
                    bus_.high() ? "high" : "full", vendor_, product_, manufacturer_.c_str(), name_.c_str(),
                    (unsigned long long)enumerations_, (unsigned long long)out_packets_, (unsigned long long)in_packets_,
                    (unsigned long long)naks_, (unsigned long long)retries_, (unsigned long long)bus_.damaged(),
                    (unsigned long long)bus_.uncalled(), most_out_, (unsigned long long)bus_.now());
        std::fflush(stdout);
    }

private:
    static constexpr uint64_t SLICE = 1000;
    static constexpr unsigned ASK_EVERY = 4;
    static constexpr unsigned TRIES = 100;  // packets of a control transfer
    static constexpr uint8_t ADDRESS = 5;

    struct Answer {
        Pid pid;
        Packet data;
    };

    // The gap before a packet of the host's own, behind a packet of the device's or one of its own
    void gap() { bus_.idle(bus_.high() ? 11 : 3); }

    void token(Pid pid, unsigned endpoint) {
        const unsigned bits = address_ | endpoint << 7;
        bus_.send({pid, uint8_t(bits), uint8_t(bits >> 8 | crc5(bits) << 3)});
    }

    void data(Pid pid, const Packet& payload) {
        Packet packet{pid};
        packet.insert(packet.end(), payload.begin(), payload.end());
        const uint16_t crc = crc16(payload.data(), payload.size());
        packet.push_back(uint8_t(crc));
        packet.push_back(uint8_t(crc >> 8));
        gap();
        bus_.send(packet);
    }

    // What the device says, without damaged packets.
    Answer answer() {
        const std::optional<Packet> packet = bus_.receive();
        if (!packet || packet->empty()) return {NOTHING, {}};
        const Pid pid = Pid((*packet)[0]);
        if (pid == DATA0 || pid == DATA1) {
            const size_t size = packet->size();
            if (size < 3) return {NOTHING, {}};
            const uint16_t crc = crc16(packet->data() + 1, size - 3);
            if ((*packet)[size - 2] != uint8_t(crc) || (*packet)[size - 1] != uint8_t(crc >> 8)) return {NOTHING, {}};
            return {pid, Packet(packet->begin() + 1, packet->end() - 2)};
        }
        const bool handshake = packet->size() == 1 && (pid == ACK || pid == NAK || pid == STALL);
        return {handshake ? pid : NOTHING, {}};
    }

    void begin_frame() {
        // The longest transaction: token, packet with a sixth more bits, handshake, and the gaps
        const uint64_t longest = bus_.high() ? 8 + 11 + 610 + 30 : 35 + 3 + 640 + 40;
        if (bus_.now() + longest < next_frame_) return;
        if (bus_.now() < next_frame_) bus_.idle(next_frame_ - bus_.now());
        next_frame_ = bus_.now() + bus_.frame();
        const unsigned number = (bus_.high() ? frames_ / 8 : frames_) & 0x7FF;
        ++frames_;
        most_out_ = std::max(most_out_, out_in_frame_);
        out_in_frame_ = 0;
        bus_.send({SOF, uint8_t(number), uint8_t(number >> 8 | crc5(number) << 3)});
        gap();
    }

    // Sends a packet, once. The device acknowledges one that it has taken before as well.
    Pid transmit(Pid kind, unsigned endpoint, bool toggle, const Packet& payload) {
        token(kind, endpoint);
        data(toggle ? DATA1 : DATA0, payload);
        const Pid pid = answer().pid;
        gap();
        naks_ += pid == NAK;
        retries_ += pid == NOTHING;
        return pid;
    }

    // Asks for a packet, once. One that has come before counts as nothing.
    Answer ask(unsigned endpoint, bool& toggle) {
        token(IN, endpoint);
        Answer got = answer();
        gap();
        naks_ += got.pid == NAK;
        retries_ += got.pid == NOTHING;
        if (got.pid != DATA0 && got.pid != DATA1) return got;
        bus_.send({ACK});
        gap();
        if (got.pid != (toggle ? DATA1 : DATA0)) return {NOTHING, {}};
        toggle = !toggle;
        return got;
    }

    bool give() {
        if (bus_.high() && full_) {  // ask whether there is room again, rather than send in vain
            token(PING, endpoint_);
            full_ = answer().pid != ACK;
            gap();
            naks_ += full_;
            return false;
        }
        const Pid pid = transmit(OUT, endpoint_, out_toggle_, packet_);
        full_ = pid == NAK;
        if (pid != ACK) return false;
        out_toggle_ = !out_toggle_;
        ++out_packets_;
        ++out_in_frame_;
        packet_.clear();
        return true;
    }

    bool take(std::vector<uint8_t>& out) {
        const Answer got = ask(endpoint_, in_toggle_);
        if (got.data.empty()) return false;
        ++in_packets_;
        asked_ = ASK_EVERY;  // there may be more
        out.insert(out.end(), got.data.begin(), got.data.end());
        return true;
    }

    using Request = std::array<uint8_t, 8>;

    // A control transfer; nothing if the device refuses it.
    std::optional<Packet> control(const Request& request, const Packet& payload = {}) {
        const Packet setup(request.begin(), request.end());
        const bool reads = request[0] & 0x80;
        const unsigned length = request[6] | request[7] << 8;
        Packet found;
        bool toggle = true, begun = false, more = length != 0;
        for (unsigned tries = 0; tries < TRIES; ++tries) {
            begin_frame();
            if (!begun) {
                begun = transmit(SETUP, 0, false, setup) == ACK;
                continue;
            }
            if (!more) {  // the status, in the other direction
                bool one = true;
                const Pid pid = reads ? transmit(OUT, 0, true, {}) : ask(0, one).pid;
                if (pid == STALL) return {};
                if (pid == (reads ? ACK : DATA1)) return found;
                continue;
            }
            if (reads) {
                const Answer got = ask(0, toggle);
                if (got.pid == STALL) return {};
                found.insert(found.end(), got.data.begin(), got.data.end());
                if (got.pid == DATA0 || got.pid == DATA1) more = got.data.size() == 64 && found.size() < length;
            } else {
                const Pid pid = transmit(OUT, 0, true, payload);
                if (pid == STALL) return {};
                more = pid != ACK;
            }
        }
        return {};
    }

    std::optional<Packet> descriptor(uint8_t type, uint8_t index, uint16_t length) {
        const uint8_t language = type == 3 && index ? 0x09 : 0, page = language ? 0x04 : 0;
        return control({0x80, 6, index, type, language, page, uint8_t(length), uint8_t(length >> 8)});
    }

    std::string text(uint8_t index) {
        std::string found;
        const std::optional<Packet> got = index ? descriptor(3, index, 255) : Packet{};
        if (got)
            for (size_t i = 2; i + 1 < got->size(); i += 2) found += char((*got)[i]);
        return found;
    }

    // From a bus reset to a configured serial port. What a driver could not work with leaves it unconfigured, and it begins again.
    void enumerate() {
        // Not now: if the last handshake of a request is lost, host and device have different opinions of it, by USB's own rules
        bus_.damages(false);
        bus_.reset();
        address_ = 0;
        next_frame_ = bus_.now();
        ++enumerations_;
        if (!descriptor(1, 0, 64)) return;
        if (!control({0x00, 5, ADDRESS, 0, 0, 0, 0, 0})) return;
        address_ = ADDRESS;
        const std::optional<Packet> device = descriptor(1, 0, 18);
        const std::optional<Packet> head = descriptor(2, 0, 9);
        if (!device || device->size() != 18 || !head || head->size() != 9) return;
        const std::optional<Packet> all = descriptor(2, 0, uint16_t((*head)[2] | (*head)[3] << 8));
        if (!all || !find_endpoints(*all)) return;
        vendor_ = (*device)[8] | (*device)[9] << 8;
        product_ = (*device)[10] | (*device)[11] << 8;
        descriptor(3, 0, 255);
        manufacturer_ = text((*device)[14]);
        name_ = text((*device)[15]);
        if (!control({0x00, 9, 1, 0, 0, 0, 0, 0})) return;
        out_toggle_ = in_toggle_ = full_ = false;
        packet_.clear();
        // 115200 baud, a stop bit, no parity, eight bits; then the handshake lines
        if (!control({0x21, 0x20, 0, 0, 0, 0, 7, 0}, {0x00, 0xC2, 0x01, 0x00, 0, 0, 8})) return;
        if (!control({0x21, 0x22, 3, 0, 0, 0, 0, 0})) return;
        configured_ = true;
        bus_.damages(true);
    }

    // The bulk endpoints of the data interface: one number for both directions, and packets as the speed has them.
    bool find_endpoints(const Packet& all) {
        unsigned seen = 0;
        bool serial = false;
        for (size_t i = 0; i + 7 <= all.size() && all[i]; i += all[i]) {
            if (all[i + 1] == 4) serial = all[i + 5] == 0x0A;
            if (all[i + 1] != 5 || !serial || all[i + 3] != 2) continue;
            packet_bytes_ = all[i + 4] | all[i + 5] << 8;
            if (packet_bytes_ != (bus_.high() ? 512u : 64u)) return false;
            endpoint_ = all[i + 2] & 0x0F;
            seen |= all[i + 2] & 0x80 ? 2 : 1;
        }
        return seen == 3;
    }

    Bus bus_;
    bool plugged_ = true, configured_ = false;
    uint8_t address_ = 0;
    unsigned endpoint_ = 0, packet_bytes_ = 0;
    Packet packet_;  // on its way to the device
    bool out_toggle_ = false, in_toggle_ = false, full_ = false;
    unsigned asked_ = 0;
    uint64_t next_frame_ = 0;
    uint64_t frames_ = 0;
    unsigned out_in_frame_ = 0, most_out_ = 0;
    unsigned vendor_ = 0, product_ = 0;
    std::string manufacturer_, name_;
    uint64_t enumerations_ = 0, out_packets_ = 0, in_packets_ = 0, naks_ = 0, retries_ = 0;
};

}  // namespace usb
