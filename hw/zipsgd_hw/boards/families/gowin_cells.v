// Models of the Gowin cells that Yosys has none for, in the modes that its synthesis makes of the gateware.

`timescale 1ps / 1ps

// A block RAM: 2,048 words of WORD bits, 9 or 8. Two or four of them make a wider word, and 1, 2 or 4 bits of 8 a narrower one.
// Both ports' clocks are taken to be the same.
//
// Nothing is promised of a word that is read while it is written, so that it comes out inverted here.
module gowin_bsram #(
  parameter WORD = 9,
  parameter WIDTH_A = 9,
  parameter WIDTH_B = 9,
  parameter THROUGH_A = 0,  // whether a port that writes a word also reads it
  parameter THROUGH_B = 0
) (
  input clk,
  input write_a, read_a, reset_a,
  input [13:0] address_a,
  input [35:0] data_a,
  output reg [35:0] word_a,
  input write_b, read_b, reset_b,
  input [13:0] address_b,
  input [35:0] data_b,
  output reg [35:0] word_b
);
  localparam WORDS_A = WIDTH_A < 8 ? 1 : WIDTH_A / WORD;
  localparam WORDS_B = WIDTH_B < 8 ? 1 : WIDTH_B / WORD;
  localparam [8:0] BITS_A = WIDTH_A < 8 ? (1 << WIDTH_A) - 1 : (1 << WORD) - 1;
  localparam [8:0] BITS_B = WIDTH_B < 8 ? (1 << WIDTH_B) - 1 : (1 << WORD) - 1;
  generate
    if (WIDTH_A < 8 ? 8 % WIDTH_A || WORD != 8 : WORD * WORDS_A != WIDTH_A) $error("block RAM: no such width of port A");
    if (WIDTH_B < 8 ? 8 % WIDTH_B || WORD != 8 : WORD * WORDS_B != WIDTH_B) $error("block RAM: no such width of port B");
  endgenerate

  wire [10:0] first_a = address_a[13:3] & ~(WORDS_A - 1);
  wire [10:0] first_b = address_b[13:3] & ~(WORDS_B - 1);
  // Where in its word a narrower one is
  wire [2:0] place_a = WIDTH_A < 8 ? address_a[2:0] & ~(WIDTH_A - 1) : 0;
  wire [2:0] place_b = WIDTH_B < 8 ? address_b[2:0] & ~(WIDTH_B - 1) : 0;
  wire [8:0] bits_a = BITS_A << place_a;
  wire [8:0] bits_b = BITS_B << place_b;
  // The lowest bits of a wide word's address enable its parts
  wire [3:0] writes_a = (WORDS_A == 1 ? 4'b1 : address_a[3:0] & (1 << WORDS_A) - 1) & {4{write_a}};
  wire [3:0] writes_b = (WORDS_B == 1 ? 4'b1 : address_b[3:0] & (1 << WORDS_B) - 1) & {4{write_b}};

  reg [8:0] memory [0:2047];
  initial foreach (memory[word]) memory[word] = $urandom;

  // Bits of a word that are written
  function [8:0] written(input [10:0] word);
    reg [10:0] after_a, after_b;
    begin
      after_a = word - first_a;
      after_b = word - first_b;
      written = (after_a < 4 && writes_a[after_a[1:0]] ? bits_a : 9'b0) | (after_b < 4 && writes_b[after_b[1:0]] ? bits_b : 9'b0);
    end
  endfunction

  integer i;
  always @(posedge clk) begin
    for (i = 0; i < WORDS_A; i = i + 1) begin
      if (writes_a[i]) memory[first_a + i] <= memory[first_a + i] & ~bits_a | data_a[WORD * i +: WORD] << place_a & bits_a;
      if (read_a) word_a[WORD * i +: WORD] <= (memory[first_a + i] ^ written(first_a + i)) >> place_a;
      if (writes_a[i] && THROUGH_A) word_a[WORD * i +: WORD] <= data_a[WORD * i +: WORD];
    end
    for (i = 0; i < WORDS_B; i = i + 1) begin
      if (writes_b[i]) memory[first_b + i] <= memory[first_b + i] & ~bits_b | data_b[WORD * i +: WORD] << place_b & bits_b;
      if (read_b) word_b[WORD * i +: WORD] <= (memory[first_b + i] ^ written(first_b + i)) >> place_b;
      if (writes_b[i] && THROUGH_B) word_b[WORD * i +: WORD] <= data_b[WORD * i +: WORD];
    end
    if (reset_a) word_a <= 0;
    if (reset_b) word_b <= 0;
  end
endmodule

// The parameters of block RAMs that have two ports
`define BSRAM_CONTENT \
  parameter [287:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, INIT_RAM_04 = 0, INIT_RAM_05 = 0; \
  parameter [287:0] INIT_RAM_06 = 0, INIT_RAM_07 = 0, INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0; \
  parameter [287:0] INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0, INIT_RAM_10 = 0, INIT_RAM_11 = 0; \
  parameter [287:0] INIT_RAM_12 = 0, INIT_RAM_13 = 0, INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0; \
  parameter [287:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, INIT_RAM_1C = 0, INIT_RAM_1D = 0; \
  parameter [287:0] INIT_RAM_1E = 0, INIT_RAM_1F = 0, INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0; \
  parameter [287:0] INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, INIT_RAM_28 = 0, INIT_RAM_29 = 0; \
  parameter [287:0] INIT_RAM_2A = 0, INIT_RAM_2B = 0, INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0; \
  parameter [287:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0, INIT_RAM_34 = 0, INIT_RAM_35 = 0; \
  parameter [287:0] INIT_RAM_36 = 0, INIT_RAM_37 = 0, INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0; \
  parameter [287:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0; \
  parameter BIT_WIDTH_0 = 9; \
  parameter BIT_WIDTH_1 = 9; \
  parameter [2:0] BLK_SEL_0 = 0; \
  parameter [2:0] BLK_SEL_1 = 0; \
  parameter RESET_MODE = "SYNC";

// One port reads and writes; Yosys' model of it has no content.
`define SINGLE_BSRAM(NAME, PART, BITS) \
module NAME ( \
  input CLK, CE, OCE, RESET, WRE, \
  input [13:0] AD, \
  input [2:0] BLKSEL, \
  input [BITS-1:0] DI, \
  output [BITS-1:0] DO \
); \
  parameter READ_MODE = 1'b0; \
  parameter [1:0] WRITE_MODE = 0; \
  parameter BIT_WIDTH = 9; \
  parameter [2:0] BLK_SEL = 0; \
  `BSRAM_CONTENT \
  generate if (READ_MODE || WRITE_MODE > 1) $error("block RAM: a mode that is not modelled"); endgenerate \
  wire used = CE && BLKSEL == BLK_SEL; \
  wire [35:0] word; \
  assign DO = RESET_MODE == "ASYNC" && RESET ? 0 : word[BITS-1:0]; \
  gowin_bsram #(.WORD(PART), .WIDTH_A(BIT_WIDTH), .WIDTH_B(PART), .THROUGH_A(WRITE_MODE)) ram ( \
    .clk(CLK), \
    .write_a(used && WRE), .read_a(used && !WRE), .reset_a(RESET), .address_a(AD), .data_a(36'(DI)), .word_a(word), \
    .write_b(1'b0), .read_b(1'b0), .reset_b(1'b0), .address_b(14'b0), .data_b(36'b0), .word_b() \
  ); \
endmodule

// Port A writes, port B reads.
`define SIMPLE_BSRAM(NAME, PART, BITS) \
module NAME ( \
  input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB, \
  input [13:0] ADA, ADB, \
  input [2:0] BLKSELA, BLKSELB, \
  input [BITS-1:0] DI, \
  output [BITS-1:0] DO \
); \
  parameter READ_MODE = 1'b0; \
  `BSRAM_CONTENT \
  generate if (READ_MODE) $error("block RAM: a mode that is not modelled"); endgenerate \
  wire [35:0] word; \
  assign DO = RESET_MODE == "ASYNC" && RESETB ? 0 : word[BITS-1:0]; \
  gowin_bsram #(.WORD(PART), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1)) ram ( \
    .clk(CLKA), \
    .write_a(CEA && BLKSELA == BLK_SEL_0), .read_a(1'b0), .reset_a(RESETA), .address_a(ADA), .data_a(36'(DI)), .word_a(), \
    .write_b(1'b0), .read_b(CEB && BLKSELB == BLK_SEL_1), .reset_b(RESETB), .address_b(ADB), .data_b(36'b0), .word_b(word) \
  ); \
endmodule

// Both ports read and write. A port that writes shows the new word in mode 1, and keeps the word that it has read in mode 0.
`define DUAL_BSRAM(NAME, PART, BITS) \
module NAME ( \
  input CLKA, CEA, CLKB, CEB, OCEA, OCEB, RESETA, RESETB, WREA, WREB, \
  input [13:0] ADA, ADB, \
  input [2:0] BLKSELA, BLKSELB, \
  input [BITS-1:0] DIA, DIB, \
  output [BITS-1:0] DOA, DOB \
); \
  parameter READ_MODE0 = 1'b0; \
  parameter READ_MODE1 = 1'b0; \
  parameter [1:0] WRITE_MODE0 = 0; \
  parameter [1:0] WRITE_MODE1 = 0; \
  `BSRAM_CONTENT \
  generate \
    if (READ_MODE0 || READ_MODE1 || WRITE_MODE0 > 1 || WRITE_MODE1 > 1) \
      $error("block RAM: a mode that is not modelled"); \
  endgenerate \
  wire a = CEA && BLKSELA == BLK_SEL_0; \
  wire b = CEB && BLKSELB == BLK_SEL_1; \
  wire [35:0] word_a, word_b; \
  assign DOA = RESET_MODE == "ASYNC" && RESETA ? 0 : word_a[BITS-1:0]; \
  assign DOB = RESET_MODE == "ASYNC" && RESETB ? 0 : word_b[BITS-1:0]; \
  gowin_bsram #( \
    .WORD(PART), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .THROUGH_A(WRITE_MODE0), .THROUGH_B(WRITE_MODE1) \
  ) ram ( \
    .clk(CLKA), \
    .write_a(a && WREA), .read_a(a && !WREA), .reset_a(RESETA), .address_a(ADA), .data_a(36'(DIA)), .word_a(word_a), \
    .write_b(b && WREB), .read_b(b && !WREB), .reset_b(RESETB), .address_b(ADB), .data_b(36'(DIB)), .word_b(word_b) \
  ); \
endmodule

`SINGLE_BSRAM(SPX9, 9, 36)
`SINGLE_BSRAM(SP, 8, 32)
`SIMPLE_BSRAM(SDPX9B, 9, 36)
`SIMPLE_BSRAM(SDPB, 8, 32)
`DUAL_BSRAM(DPX9B, 9, 18)
`DUAL_BSRAM(DPB, 8, 16)

// Multipliers, without their registers.
`define MULTIPLIER(NAME, BITS) \
module NAME ( \
  input [BITS-1:0] A, SIA, B, SIB, \
  input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET, \
  output [2*BITS-1:0] DOUT, \
  output [BITS-1:0] SOA, SOB \
); \
  wire signed [2*BITS-1:0] a = {{BITS{ASIGN & A[BITS-1]}}, A}; \
  wire signed [2*BITS-1:0] b = {{BITS{BSIGN & B[BITS-1]}}, B}; \
  assign DOUT = a * b; \
endmodule

`MULTIPLIER(MULT9X9, 9)
`MULTIPLIER(MULT18X18, 18)
