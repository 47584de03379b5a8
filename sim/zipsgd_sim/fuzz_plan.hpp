// The plan that zipsgd_sim.fuzz writes: the contract's numbers, the registers, and runs with known results.
#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fuzz_random.hpp"

namespace fuzz {

enum class Access { constant, result, word, setting, command, counter };

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

inline Bytes from_hex(const std::string& text) {
    Bytes bytes;
    for (size_t i = 1; i + 1 < text.size(); i += 2) bytes.push_back(std::stoul(text.substr(i, 2), nullptr, 16));
    return bytes;
}

inline Plan read_plan(std::istream& in) {
    Plan plan;
    std::string word, name, hex;
    while (in >> word) {
        if (word == "constant") {
            in >> name >> plan.constants[name];
        } else if (word == "register") {
            static const std::map<std::string, Access> accesses = {{"constant", Access::constant},
                                                                   {"result", Access::result},
                                                                   {"word", Access::word},
                                                                   {"setting", Access::setting},
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

}  // namespace fuzz
