// Bytes, words, and random ones from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace fuzz {

using Bytes = std::vector<uint8_t>;
using Words = std::vector<uint32_t>;

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

}  // namespace fuzz
