// The virtual board: a loop around the Verilated accelerator that serves its link.
//
// One host at a time talks to it over TCP on the loopback interface or over a pseudo-terminal. The first line on standard
// output is JSON: the URL to open, or an error. Lines on standard input are commands, each answered with the statistics as a line
// of JSON: "statistics" alone; "reset", after the reset pin has been high for four cycles; "spoil WORD BIT", after this bit of the
// SDRAM has broken. A board with USB also knows "unplug" and "plug", and "usb", which is answered with what the host has seen on
// the bus. End of file, SIGTERM and SIGINT end the process.
//
// Virtual time stands still while the board has nothing to do and no byte to take: see QUIET. It goes on while the board works
// on its own, on the samples of its store.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "clocked_board.hpp"
#include "host_end.hpp"
#ifdef SDRAM_WORD
#include "sdram_model.hpp"
#endif
#ifdef UTMI_PINS
#include "usb_host.hpp"
#endif

namespace {

constexpr unsigned SLICE = 512;       // cycles between two looks at the host
constexpr uint64_t QUIET = 1 << 17;   // cycles without a byte either way after which the loop waits for the host
constexpr int NAP = 20;               // milliseconds of such a wait

volatile sig_atomic_t stop = 0;
void on_signal(int) { stop = 1; }

// xorshift, for stalls
struct Random {
    uint64_t state;
    bool coin() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state >> 63;
    }
};

struct Statistics {
    uint64_t cycles = 0;         // of virtual time
    uint64_t received = 0;       // bytes to the board
    uint64_t sent = 0;           // bytes from it
    uint64_t line_idle = 0;      // cycles with the line to the board free, between the first and last byte of a burst
    uint64_t line_busy = 0;      // cycles with a byte on the line to the board
    uint64_t memory_read = 0;    // words that a chip of SDRAM has put on its bus
    uint64_t memory_cycles = 0;  // of its clock
    void print() const {
        std::printf("{\"cycles\": %llu, \"received\": %llu, \"sent\": %llu, \"line_idle\": %llu, \"line_busy\": %llu, "
                    "\"memory_read\": %llu, \"memory_cycles\": %llu}\n",
                    (unsigned long long)cycles, (unsigned long long)received, (unsigned long long)sent,
                    (unsigned long long)line_idle, (unsigned long long)line_busy, (unsigned long long)memory_read,
                    (unsigned long long)memory_cycles);
        std::fflush(stdout);
    }
};

class Board {
public:
    // `chip`: rules of the chip of SDRAM, if the design has its pins; `errors`: chance that a word of it is written wrongly.
    // `cycles`, `other_cycles`: as of ClockedBoard. `fast`: the transceiver of USB is of high speed; `errors` are then those of
    // its bus.
    Board(const std::string& trace, uint64_t half_picoseconds, int power_up, unsigned reset_cycles, uint64_t byte_cycles,
          uint64_t stall, [[maybe_unused]] const std::string& chip, [[maybe_unused]] double errors, uint64_t cycles,
          uint64_t other_cycles, [[maybe_unused]] bool fast)
        : board_(trace, half_picoseconds, power_up, reset_cycles, cycles, other_cycles),
#ifdef SDRAM_WORD
          chip_(SdramRules::parse(chip), power_up, errors),
#endif
#ifdef UTMI_PINS
          usb_(usb::Bus([this](const usb::ToDevice& inputs) { return cycle(inputs); }, fast, errors, power_up)),
#endif
          byte_cycles_(byte_cycles), random_{stall} {
        if (!board_.traces()) fail("cannot write the waveform");
    }

    void reset() {
#ifdef SDRAM_WORD
        board_.reset(ClockedBoard::RESET_CYCLES, [&] { chip_.edge(SDRAM_PINS(board_, pins)); }, [] {});
#else
        board_.reset();
#endif
#ifdef UART_PINS
        tx_bit_ = -1;
#endif
    }

    // Runs one cycle; true if a byte moved, or the board works on its own.
    bool cycle(std::deque<uint8_t>& in, std::vector<uint8_t>& out);

    // Answers a command.
    void print([[maybe_unused]] const std::string& command) const {
#ifdef UTMI_PINS
        if (command == "usb") return usb_.print();
#endif
        statistics.print();
    }

    // From now on, a bit of a word of the chip's is read wrongly.
    void spoil([[maybe_unused]] uint64_t word, [[maybe_unused]] unsigned bit) {
#ifdef SDRAM_WORD
        chip_.spoil(word, bit);
#endif
    }

#ifdef UTMI_PINS
    usb::Host& usb() { return usb_; }
#endif

    Statistics statistics;

private:
#ifdef UTMI_PINS
    usb::FromDevice cycle(const usb::ToDevice& inputs);
#endif
    bool stalls() { return random_.state && random_.coin(); }

    // Lets a cycle of the accelerator and of its chip of memory pass.
    template <typename Look> void clock(Look look) {
#ifdef SDRAM_WORD
        SDRAM_WORD bus = 0;
        board_.clock(
            look, [&] { bus = chip_.edge(SDRAM_PINS(board_, pins)); }, [&] { board_->PORT(pins___05Fdq, i) = bus; });
        statistics.memory_read = chip_.counts().read;
        statistics.memory_cycles = chip_.counts().cycles;
#else
        board_.clock(look);
#endif
    }

    ClockedBoard board_;
#ifdef SDRAM_WORD
    SdramModel<SDRAM_WORD> chip_;
#endif
#ifdef UTMI_PINS
    usb::Host usb_;
#endif
    uint64_t byte_cycles_;
    Random random_;
    uint64_t rx_free_ = 0;  // cycle from which on the line to the board is free
    uint64_t tx_free_ = 0;
    uint64_t idle_run_ = 0;
#ifdef UART_PINS
    uint32_t rx_shift_ = 0;
    uint64_t rx_bit_end_ = 0;
    int tx_bit_ = -1;
    uint64_t tx_sample_ = 0;
    uint32_t tx_shift_ = 0;
#endif
};

#ifdef UTMI_PINS
// A cycle of the bus, in which there may be several of the accelerator, or none.
usb::FromDevice Board::cycle(const usb::ToDevice& inputs) {
    board_->PORT(utmi, rx_data) = inputs.rx_data;
    board_->PORT(utmi, rx_valid) = inputs.rx_valid;
    board_->PORT(utmi, rx_active) = inputs.rx_active;
    board_->PORT(utmi, tx_ready) = inputs.tx_ready;
    board_->PORT(utmi, line_state) = inputs.line_state;
    board_->PORT(utmi, session_end) = inputs.session_end;
    usb::FromDevice said{};
    board_.clock(
        [&] {
            said = {board_->PORT(utmi, tx_data), bool(board_->PORT(utmi, tx_valid)), bool(board_->PORT(utmi, term_select)),
                    board_->PORT(utmi, op_mode)};
        },
        [&] { ++statistics.cycles; }, [] {});
    return said;
}

bool Board::cycle(std::deque<uint8_t>& in, std::vector<uint8_t>& out) {
    const size_t before = out.size();
    const bool moved = usb_.turn(in, out, statistics.received);
    statistics.sent += out.size() - before;
    return moved || board_->unattended;
}
#elif !defined(UART_PINS)
bool Board::cycle(std::deque<uint8_t>& in, std::vector<uint8_t>& out) {
    const uint64_t now = statistics.cycles++;
    bool moved = board_->unattended;
    const bool line_free = now >= rx_free_;
    const bool give = line_free && !in.empty() && !stalls();
    board_->PORT(rx, valid) = give;
    if (give) {
        board_->PORT(rx, payload) = in.front();
        in.pop_front();
        rx_free_ = now + byte_cycles_;
        ++statistics.received;
        statistics.line_idle += idle_run_;
        idle_run_ = 0;
        statistics.line_busy += byte_cycles_;
        moved = true;
    } else if (line_free) {
        ++idle_run_;
    }
    board_->PORT(tx, ready) = now >= tx_free_ && !stalls();
    clock([&] {
        if (board_->PORT(tx, ready) && board_->PORT(tx, valid)) {
            out.push_back(board_->PORT(tx, payload));
            tx_free_ = now + byte_cycles_;
            ++statistics.sent;
            moved = true;
        }
    });
    return moved;
}
#else
// Eight data bits, no parity, one stop bit; byte_cycles is ten bits.
bool Board::cycle(std::deque<uint8_t>& in, std::vector<uint8_t>& out) {
    const uint64_t now = statistics.cycles++;
    const uint64_t bit = byte_cycles_ / 10;
    bool moved = board_->unattended;
    if (now >= rx_free_) {
        if (!in.empty()) {
            rx_shift_ = (uint32_t(in.front()) << 1) | (1u << 9);
            in.pop_front();
            rx_free_ = now + bit * 10;
            rx_bit_end_ = now + bit;
            ++statistics.received;
            statistics.line_idle += idle_run_;
            idle_run_ = 0;
            statistics.line_busy += bit * 10;
            moved = true;
            board_->rx = 0;
        } else {
            board_->rx = 1;
            ++idle_run_;
        }
    } else if (now >= rx_bit_end_) {
        rx_shift_ >>= 1;
        board_->rx = rx_shift_ & 1;
        rx_bit_end_ += bit;
    }
    clock([&] {
        if (tx_bit_ < 0) {
            if (!board_->tx) {
                tx_bit_ = 0;
                tx_shift_ = 0;
                tx_sample_ = now + bit + bit / 2;
                moved = true;
            }
        } else if (now == tx_sample_) {
            if (tx_bit_ < 8) {
                tx_shift_ |= uint32_t(board_->tx) << tx_bit_++;
                tx_sample_ += bit;
            } else {
                out.push_back(tx_shift_);
                ++statistics.sent;
                tx_bit_ = -1;
            }
            moved = true;
        }
    });
    return moved;
}
#endif

}  // namespace

int main(int argc, char** argv) {
    bool terminal = false;
    std::string trace;
    uint64_t byte_cycles = 1;
    uint64_t stall = 0;
    int power_up = 1;
    unsigned reset_cycles = 4;
    uint64_t half_picoseconds = 5000;
    uint16_t port = 0;
    std::string chip;
    double errors = 0;
    uint64_t cycles = 1;
    uint64_t other_cycles = 1;
    bool fast = false;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
        if (option == "--pty") terminal = true;
        else if (option == "--trace") trace = value();
        else if (option == "--half-picoseconds") half_picoseconds = std::strtoull(value(), nullptr, 10);
        else if (option == "--byte-cycles") byte_cycles = std::strtoull(value(), nullptr, 10);
        else if (option == "--port") port = std::strtoul(value(), nullptr, 10);
        else if (option == "--stall") stall = std::strtoull(value(), nullptr, 10);
        else if (option == "--power-up") power_up = std::atoi(value());
        else if (option == "--sdram") chip = value();
        else if (option == "--errors") errors = std::strtod(value(), nullptr);
        else if (option == "--cycles") cycles = std::strtoull(value(), nullptr, 10);
        else if (option == "--high-speed") fast = true;
        else if (option == "--other-cycles") other_cycles = std::strtoull(value(), nullptr, 10);
        else if (option == "--reset-cycles") reset_cycles = std::strtoul(value(), nullptr, 10);
        else {
            std::fprintf(stderr, "virtual board: unknown option %s\n", option.c_str());
            return 2;
        }
    }
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);

    Board board(trace, half_picoseconds, power_up, reset_cycles, byte_cycles ? byte_cycles : 1, stall,
                chip, errors, cycles, other_cycles, fast);
    std::deque<uint8_t> in;
    std::vector<uint8_t> out;
#ifdef UTMI_PINS
    // A serial port appears when the device is configured
    const auto configure = [&] {
        while (!board.usb().configured() && !stop) board.cycle(in, out);
    };
    configure();
#endif
    Host host(terminal, port);
    std::string command;
    uint64_t quiet = 0;
    while (!stop) {
        if (quiet < QUIET || !in.empty()) {
            for (const uint64_t begin = board.statistics.cycles; board.statistics.cycles < begin + SLICE;) {
                const uint64_t before = board.statistics.cycles;
                quiet = board.cycle(in, out) ? 0 : quiet + board.statistics.cycles - before;
            }
        }
        const bool waits = quiet >= QUIET && in.empty() && out.empty();
        host.serve(in, out, waits ? NAP : 0);
        if (waits && !in.empty()) quiet = 0;
        char text[256];
        const ssize_t count = read(STDIN_FILENO, text, sizeof text);
        if (count == 0) break;
        for (ssize_t i = 0; i < count; ++i) {
            if (text[i] != '\n') {
                command += text[i];
                continue;
            }
            unsigned long long word;
            unsigned bit;
            if (std::sscanf(command.c_str(), "spoil %llu %u", &word, &bit) == 2) board.spoil(word, bit);
#ifdef UTMI_PINS
            // A device that is reset leaves the bus for a while, too
            if (command == "unplug" || command == "reset") {
                host.vanish(in, out);
                board.usb().unplug();
            }
#endif
            if (command == "reset") board.reset();
#ifdef UTMI_PINS
            if (command == "plug" || command == "reset") {
                board.usb().plug();
                configure();
                host.appear();
                quiet = 0;
            }
#endif
            board.print(command);
            command.clear();
        }
    }
    return 0;
}
