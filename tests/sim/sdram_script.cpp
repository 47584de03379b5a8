// Runs the model of an SDRAM chip on a script: "sdram_script MODEL" reads commands from standard input, one a cycle.
//
// A command is its name, then bank, address, word to drive ("-" for none) and mask. "wait N" lets N cycles pass. What is on the
// bus after each "look" is printed.

#include <iostream>

#include "sdram_model.hpp"

int main(int, char** argv) {
    SdramModel<uint16_t> chip(SdramRules::parse(argv[1]));
    uint16_t bus = 0;
    for (std::string name; std::cin >> name;) {
        if (name == "look") {
            std::cout << bus << '\n';
            continue;
        }
        if (name == "wait") {
            unsigned cycles;
            std::cin >> cycles;
            while (cycles--) bus = chip.edge({});
            continue;
        }
        std::string word;
        SdramPins pins;
        std::cin >> pins.ba >> pins.a >> word >> pins.dqm;
        if (name == "sleep") pins.clk_en = false;
        pins.dq_oe = word != "-";
        if (pins.dq_oe) pins.dq_o = std::stoul(word);
        pins.cs = name != "nothing" && name != "sleep";
        pins.ras = name == "activate" || name == "precharge" || name == "refresh" || name == "mode";
        pins.cas = name == "read" || name == "write" || name == "refresh" || name == "mode";
        pins.we = name == "write" || name == "precharge" || name == "mode" || name == "stop";
        bus = chip.edge(pins);
    }
}
