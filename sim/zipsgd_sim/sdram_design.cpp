// Runs a design that has an SDRAM on the model of its chip.
//
//     sdram_design MODEL IO_CYCLES SEED ERROR_RATE LIMIT
//
// MODEL is the text of SdramRules::parse; IO_CYCLES is that of the controller; SEED is that of the content at power-up; ERROR_RATE
// is the chance that a word is stored with a wrong bit. The design has the ports `pins`, `phase` and `errors`. Whenever `phase`
// changes, a line of JSON tells what happened in the phase before. The program ends with phase 0 after another one, and with
// status 1 if that takes more than LIMIT cycles.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <type_traits>
#include <utility>

#include "clocked_board.hpp"
#include "sdram_model.hpp"

using Word = std::remove_reference_t<decltype(std::declval<Vboard>().PORT(pins___05Fdq, i))>;

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fprintf(stderr, "usage: sdram_design MODEL IO_CYCLES SEED ERROR_RATE LIMIT\n");
        return 2;
    }
    SdramModel<Word> chip(SdramRules::parse(argv[1]), std::strtoull(argv[3], nullptr, 10), std::atof(argv[4]));
    std::deque<Word> late(std::atoi(argv[2]));  // what IO registers hold
    const uint64_t limit = std::strtoull(argv[5], nullptr, 10);
    ClockedBoard board;
    auto before = chip.counts();
    unsigned phase = 0;
    while (chip.counts().cycles < limit) {
        unsigned next = 0;
        board.clock([&] {
            next = board->phase;
            late.push_back(chip.edge(SDRAM_PINS(board, pins)));
        });
        board->PORT(pins___05Fdq, i) = late.front();
        late.pop_front();
        if (next == phase) continue;
        const auto now = chip.counts();
        std::printf("{\"phase\": %u, \"cycles\": %llu, \"words read\": %llu, \"words written\": %llu, \"refreshes\": %llu, "
                    "\"errors\": %llu}\n",
                    phase, (unsigned long long)(now.cycles - before.cycles), (unsigned long long)(now.read - before.read),
                    (unsigned long long)(now.written - before.written),
                    (unsigned long long)(now.refreshes - before.refreshes), (unsigned long long)board->errors);
        if (!next) return 0;
        before = now;
        phase = next;
    }
    std::fprintf(stderr, "the design is still in phase %u after %llu cycles\n", phase, (unsigned long long)limit);
    return 1;
}
