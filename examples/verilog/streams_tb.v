// A testbench of zipsgd_streams: the accelerator with streams of bytes in place of a UART, for a link of your own.
//
// A host trains a model, and compares every answer with the golden model. It needs, in the folder in which it is compiled and run:
//   zipsgd_streams.v                       from: zipsgd build --verilog streams
//   run.vh, sent.hex, answers.hex          from: python examples/verilog/make_run.py
// docs/verilog.md has the commands.

`timescale 1ns / 1ps

module streams_tb;
  `include "run.vh"

  localparam MOST_CYCLES = 100000;

  reg clk = 0;
  reg rst = 1;
  wire [7:0] rx_data;
  wire rx_valid;
  wire rx_ready;
  wire [7:0] tx_data;
  wire tx_valid;
  reg tx_ready = 0;
  wire unattended;

  zipsgd_streams streams_0 (
      .clk(clk),
      .rst(rst),
      .rx_data(rx_data),
      .rx_valid(rx_valid),
      .rx_ready(rx_ready),
      .tx_data(tx_data),
      .tx_valid(tx_valid),
      .tx_ready(tx_ready),
      .unattended(unattended)
  );

  always #10 clk = !clk;

  reg [7:0] sent[0:SENT_BYTES-1];
  reg [7:0] answers[0:ANSWER_BYTES-1];

  initial begin
    $readmemh("sent.hex", sent);
    $readmemh("answers.hex", answers);
    repeat (10) @(negedge clk);
    rst = 0;
    repeat (MOST_CYCLES) @(negedge clk);
    $fatal(1, "FAIL: %0d of %0d bytes of the answers have come", matched, ANSWER_BYTES);
  end

  // ---- To the device: the next byte is always there, and is taken when valid and ready are both 1.

  integer out = 0;
  assign rx_valid = !rst && out < SENT_BYTES;
  assign rx_data = rx_valid ? sent[out] : 8'h00;

  always @(posedge clk) if (rx_valid && rx_ready) out <= out + 1;

  // ---- From the device: this host takes a byte in every second cycle, to show that it may.

  always @(posedge clk) tx_ready <= !tx_ready;

  always @(posedge clk) if (!rst && tx_valid && tx_ready) take_byte(tx_data);

  // ---- Frames: a zero ends one (docs/link.md). ACKs (kind 0x81) say what has arrived, and depend on timing, so they are passed
  // over here. Frames with data (kind 0x82) must be those of the golden model, byte for byte.

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
endmodule
