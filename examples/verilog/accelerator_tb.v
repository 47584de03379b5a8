// A testbench of zipsgd_accelerator: a host on its serial line trains a model, and compares every answer with the golden model.
//
// Read it as an example of how to put the accelerator into a design of your own: the instance is at the top, and the rest plays
// the host. It needs, in the folder in which it is compiled and run:
//   zipsgd_accelerator.v                   from: zipsgd build --verilog
//   run.vh, sent.hex, answers.hex          from: python examples/verilog/make_run.py
// docs/verilog.md has the commands.

`timescale 1ns / 1ps

module accelerator_tb;
  `include "run.vh"

  // The default build has a clock of 48 MHz and a UART of 3 Mbaud. The head of zipsgd_accelerator.v says it for yours.
  localparam CYCLES_A_BIT = 16;
  localparam MOST_CYCLES = 2000000;

  reg clk = 0;
  reg rst = 1;
  reg rx = 1;  // a serial line is 1 when idle
  wire tx;
  wire unattended;

  zipsgd_accelerator accelerator_0 (
      .clk(clk),
      .rst(rst),
      .rx(rx),
      .tx(tx),
      .unattended(unattended)
  );

  always #10.417 clk = !clk;  // 48 MHz

  // ---- What goes to the device: bytes, of which each is a start bit (0), eight data bits from bit 0 on, and a stop bit (1).

  reg [7:0] sent[0:SENT_BYTES-1];

  task send_bit(input value);
    begin
      rx = value;
      repeat (CYCLES_A_BIT) @(negedge clk);  // so that rx never changes at the edge at which the device looks
    end
  endtask

  task send_byte(input [7:0] value);
    integer place;
    begin
      send_bit(0);
      for (place = 0; place < 8; place = place + 1) send_bit(value[place]);
      send_bit(1);
    end
  endtask

  integer out;

  initial begin
    $readmemh("sent.hex", sent);
    $readmemh("answers.hex", answers);
    repeat (10) @(negedge clk);
    rst = 0;
    repeat (10) @(negedge clk);
    for (out = 0; out < SENT_BYTES; out = out + 1) send_byte(sent[out]);
  end

  // ---- What comes back: look for a start bit, then in the middle of each bit.

  reg [7:0] received;
  integer place_in;

  always begin
    @(negedge clk);
    if (!rst && tx == 0) begin
      repeat (CYCLES_A_BIT / 2) @(negedge clk);
      for (place_in = 0; place_in < 8; place_in = place_in + 1) begin
        repeat (CYCLES_A_BIT) @(negedge clk);
        received[place_in] = tx;
      end
      repeat (CYCLES_A_BIT) @(negedge clk);
      if (tx != 1) $fatal(1, "FAIL: a byte from the device has no stop bit");
      take_byte(received);
    end
  end

  // ---- Frames: a zero ends one (docs/link.md). ACKs (kind 0x81) say what has arrived, and depend on timing, so they are passed
  // over here. Frames with data (kind 0x82) must be those of the golden model, byte for byte.

  reg [7:0] answers[0:ANSWER_BYTES-1];
  reg [7:0] frame[0:255];
  integer size = 0;
  integer matched = 0;
  integer at;

  task take_byte(input [7:0] value);
    begin
      frame[size] = value;
      size = size + 1;
      if (value == 0) begin
        if (size > 1 && frame[1] == 8'h82) begin
          for (at = 0; at < size; at = at + 1)
            if (frame[at] != answers[matched+at])
              $fatal(1, "FAIL: byte %0d of the answers is %h, and %h with the golden model", matched + at, frame[at],
                     answers[matched+at]);
          matched = matched + size;
        end
        size = 0;
        if (matched == ANSWER_BYTES) begin
          $display("PASS: %0d bytes sent, all %0d bytes of the answers are those of the golden model", SENT_BYTES, matched);
          $finish;
        end
      end
    end
  endtask

  initial begin
    repeat (MOST_CYCLES) @(negedge clk);
    $fatal(1, "FAIL: %0d of %0d bytes of the answers have come", matched, ANSWER_BYTES);
  end
endmodule
