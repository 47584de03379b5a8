// The Verilated accelerator, its reset and its clocks, for the programs of this folder. With MEMORY_CLOCK, its memory has a clock
// and a reset of its own. With UTMI_PINS, the first clock is that of the USB bus, and the accelerator's is the other one.
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

#ifdef UTMI_PINS
#define FIRST(pin) usb_##pin
#define OTHER(pin) pin
#elif defined(MEMORY_CLOCK)
#define FIRST(pin) pin
#define OTHER(pin) memory_##pin
#else
#define FIRST(pin) pin
#endif

class ClockedBoard {
public:
    static constexpr unsigned RESET_CYCLES = 4;

    // `trace`: a file for the waveform, or nothing; half a period of the clock takes `half_picoseconds` in it. `power_up`: seed
    // of what is not initialised. The reset is held for `reset_cycles`. In `other_cycles` cycles of the other clock, if there is
    // one, there are `cycles` of the first.
    explicit ClockedBoard(const std::string& trace = "", uint64_t half_picoseconds = 0, int power_up = 1,
                          unsigned reset_cycles = RESET_CYCLES, [[maybe_unused]] uint64_t cycles = 1,
                          [[maybe_unused]] uint64_t other_cycles = 1) {
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
#ifdef OTHER
        period_ = other_cycles;
        other_period_ = until_other_ = cycles;
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
        reset(cycles, [] {}, [] {});
    }

    // The same, with looks as of `clock`.
    template <typename Look, typename Drive> void reset(unsigned cycles, Look look, Drive drive) {
        resets(cycles != 0);
        for (; cycles; --cycles) clock([] {}, look, drive);
        resets(false);
    }

    // Settles the inputs with the clock low, looks at the outputs, and lets the rising edge pass.
    template <typename Look> void clock(Look look) {
        clock(look, [] {}, [] {});
    }

    // The same, with a look at the pins of the other clock before each rising edge of it, and a chance to drive them behind it.
    // Without another clock, that is the first one.
    template <typename Look, typename OtherLook, typename Drive> void clock(Look look, OtherLook other_look, Drive drive) {
        top_->FIRST(clk) = 0;
#ifdef OTHER
        top_->OTHER(clk) = 0;
        settle(period_ / 4.0);
        for (; until_other_ < period_; until_other_ += other_period_) {
            top_->OTHER(clk) = 0;
            top_->eval();
            other_look();
            top_->OTHER(clk) = 1;
            settle(until_other_);
            drive();
        }
        const bool both = until_other_ == period_;
        top_->OTHER(clk) = 0;
        top_->eval();
        look();
        if (both) other_look();
        top_->FIRST(clk) = 1;
        top_->OTHER(clk) = both;
        settle(period_);
        if (both) {
            drive();
            until_other_ += other_period_;
        }
        until_other_ -= period_;
#else
        settle(period_ / 2.0);
        look();
        other_look();
        top_->FIRST(clk) = 1;
        settle(period_);
        drive();
#endif
#ifdef TRACE
        begin_ += 2 * half_;
#endif
    }

private:
    void resets(bool active) {
        top_->FIRST(rst) = active;
#ifdef OTHER
        top_->OTHER(rst) = active;
#endif
    }

    // `time` is that since the last rising edge; the waveform has no time twice.
    void settle([[maybe_unused]] double time) {
        top_->eval();
#ifdef TRACE
        const uint64_t now = begin_ + uint64_t(2 * half_ * time / period_);
        time_ = now > time_ ? now : time_ + 1;
        vcd_.dump(time_);
#endif
    }

    VerilatedContext context_;
    std::unique_ptr<Vboard> top_;
    uint64_t period_ = 2;  // in a unit that depends on the clocks
#ifdef OTHER
    uint64_t other_period_ = 2;
    uint64_t until_other_ = 2;  // from the last rising edge of the first clock to the next one of the other
#endif
#ifdef TRACE
    VerilatedVcdC vcd_;
    uint64_t time_ = 0;
    uint64_t begin_ = 0;
    uint64_t half_ = 0;
#endif
};
