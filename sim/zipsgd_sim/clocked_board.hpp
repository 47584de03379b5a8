// The Verilated accelerator, its reset and its clock, for the programs of this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "Vboard.h"
#include "verilated.h"
#ifdef TRACE
#include "verilated_vcd_c.h"
#endif

// Verilator's spelling of a port `stream__member`
#define PORT(stream, member) stream##___05F##member

class ClockedBoard {
public:
    static constexpr unsigned RESET_CYCLES = 4;

    // `trace`: a file for the waveform, or nothing; half a period of the clock takes `half_picoseconds` in it. `power_up`: seed
    // of what is not initialised. The reset is held for `reset_cycles`.
    explicit ClockedBoard(const std::string& trace = "", uint64_t half_picoseconds = 0, int power_up = 1,
                          unsigned reset_cycles = RESET_CYCLES) {
        context_.randReset(2);
        context_.randSeed(power_up);
        context_.traceEverOn(!trace.empty());
        top_ = std::make_unique<Vboard>(&context_);
#ifdef TRACE
        top_->trace(&vcd_, 99);
        vcd_.set_time_unit("1ps");
        vcd_.set_time_resolution("1ps");
        half_ = half_picoseconds;
        vcd_.open(trace.c_str());
#endif
#ifdef UART_PINS
        top_->rx = 1;
#endif
        reset(reset_cycles);
    }

    ~ClockedBoard() {
        top_->final();
#ifdef TRACE
        vcd_.close();
#endif
    }

    // False if the waveform cannot be written.
    bool traces() const {
#ifdef TRACE
        return vcd_.isOpen();
#else
        return true;
#endif
    }

    Vboard* operator->() { return top_.get(); }

    void reset(unsigned cycles = RESET_CYCLES) {
        reset(cycles, [] {});
    }

    // The same, with a look at the outputs in each cycle.
    template <typename Look> void reset(unsigned cycles, Look look) {
        top_->rst = cycles != 0;
        for (; cycles; --cycles) clock(look);
        top_->rst = 0;
    }

    // Settles the inputs with the clock low, looks at the outputs, and lets the rising edge pass.
    template <typename Look> void clock(Look look) {
        top_->clk = 0;
        top_->eval();
        dump();
        look();
        top_->clk = 1;
        top_->eval();
        dump();
    }

private:
    void dump() {
#ifdef TRACE
        vcd_.dump(time_);
        time_ += half_;
#endif
    }

    VerilatedContext context_;
    std::unique_ptr<Vboard> top_;
#ifdef TRACE
    VerilatedVcdC vcd_;
    uint64_t time_ = 0;
    uint64_t half_ = 0;
#endif
};
