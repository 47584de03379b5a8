// Frames on the link, written and read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "fuzz_random.hpp"

namespace fuzz {

constexpr unsigned CRC_BYTES = 4;

inline uint32_t crc32(const Bytes& bytes, size_t count) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < count; ++i) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

inline void append_word(Bytes& bytes, uint32_t word) {
    for (int i = 0; i < 4; ++i) bytes.push_back(word >> 8 * i);
}

inline uint32_t word_at(const Bytes& bytes, size_t place) {
    uint32_t word = 0;
    for (int i = 3; i >= 0; --i) word = word << 8 | bytes[place + i];
    return word;
}

// COBS, without the closing zero.
inline Bytes stuffed(const Bytes& body) {
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

inline std::optional<Bytes> unstuffed(const Bytes& line) {
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

inline std::optional<Frame> parsed(const Bytes& line) {
    const auto body = unstuffed(line);
    if (!body || body->size() < 2 + CRC_BYTES) return std::nullopt;
    const size_t end = body->size() - CRC_BYTES;
    if (crc32(*body, end) != word_at(*body, end)) return std::nullopt;
    return Frame{(*body)[0], (*body)[1], Bytes(body->begin() + 2, body->begin() + end)};
}

}  // namespace fuzz
