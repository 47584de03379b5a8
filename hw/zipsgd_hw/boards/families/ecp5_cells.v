// Models of the ECP5 cells that Yosys has none for, in the modes that its synthesis makes of the gateware.

`timescale 1ps / 1ps

// A block RAM: 2,048 words of 9 bits. Two or four of them make a wider word, and 1, 2 or 4 bits of 8 a narrower one. A port of
// 36 bits takes both ports' data pins, A to write and B to read. Both ports' clocks are taken to be the same.
//
// Nothing is promised of a word that is read while it is written, so that it comes out inverted here.
module DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "ENABLED";
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0, INITVAL_05 = 0;
  parameter [319:0] INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0;
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0;
  parameter [319:0] INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0;
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0, INITVAL_1D = 0;
  parameter [319:0] INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0;
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0, INITVAL_29 = 0;
  parameter [319:0] INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0;
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0;
  parameter [319:0] INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0;
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;

  localparam WORDS_A = DATA_WIDTH_A < 9 ? 1 : DATA_WIDTH_A / 9;
  localparam WORDS_B = DATA_WIDTH_B < 9 ? 1 : DATA_WIDTH_B / 9;
  localparam [8:0] BITS_A = DATA_WIDTH_A < 9 ? (1 << DATA_WIDTH_A) - 1 : 9'h1FF;
  localparam [8:0] BITS_B = DATA_WIDTH_B < 9 ? (1 << DATA_WIDTH_B) - 1 : 9'h1FF;
  generate
    if (DATA_WIDTH_A < 9 ? 8 % DATA_WIDTH_A : 9 * WORDS_A - DATA_WIDTH_A) $error("DP16KD: no such width of port A");
    if (DATA_WIDTH_B < 9 ? 8 % DATA_WIDTH_B : 9 * WORDS_B - DATA_WIDTH_B) $error("DP16KD: no such width of port B");
    if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" ||
        CLKAMUX != "CLKA" || CLKBMUX != "CLKB" || CSDECODE_A != "0b000" || CSDECODE_B != "0b000")
      $error("DP16KD: a mode that is not modelled");
  endgenerate

  wire [17:0] low = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2,
                     DIA1, DIA0};
  wire [17:0] high = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2,
                      DIB1, DIB0};
  wire [35:0] data_a = {high, low};
  wire [35:0] data_b = {18'b0, high};
  wire [10:0] first_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3} & ~(WORDS_A - 1);
  wire [10:0] first_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3} & ~(WORDS_B - 1);
  // Where in its word a narrower one is
  wire [2:0] place_a = DATA_WIDTH_A < 9 ? {ADA2, ADA1, ADA0} & ~(DATA_WIDTH_A - 1) : 0;
  wire [2:0] place_b = DATA_WIDTH_B < 9 ? {ADB2, ADB1, ADB0} & ~(DATA_WIDTH_B - 1) : 0;
  wire [8:0] bits_a = BITS_A << place_a;
  wire [8:0] bits_b = BITS_B << place_b;
  wire taken_a = CEA & {CSA2, CSA1, CSA0} == 0;
  wire taken_b = CEB & {CSB2, CSB1, CSB0} == 0;
  // The lowest bits of a wide word's address enable its parts.
  wire [3:0] write_a = (WORDS_A == 1 ? 4'b1 : {ADA3, ADA2, ADA1, ADA0} & (1 << WORDS_A) - 1) & {4{taken_a & WEA}};
  wire [3:0] write_b = (WORDS_B == 1 ? 4'b1 : {ADB3, ADB2, ADB1, ADB0} & (1 << WORDS_B) - 1) & {4{taken_b & WEB}};

  reg [8:0] memory [0:2047];
  initial foreach (memory[word]) memory[word] = $urandom;
  reg [35:0] read_a, read_b;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
    WORDS_B == 4 ? read_b[17:0] : read_a[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
    WORDS_B == 4 ? read_b[35:18] : read_b[17:0];

  // Bits of a word that are written
  function [8:0] written(input [10:0] word);
    reg [10:0] after_a, after_b;
    begin
      after_a = word - first_a;
      after_b = word - first_b;
      written = (after_a < 4 && write_a[after_a[1:0]] ? bits_a : 9'b0) | (after_b < 4 && write_b[after_b[1:0]] ? bits_b : 9'b0);
    end
  endfunction

  integer i;
  always @(posedge CLKA) begin
    for (i = 0; i < WORDS_A; i = i + 1) begin
      if (write_a[i]) memory[first_a + i] <= memory[first_a + i] & ~bits_a | data_a[9 * i +: 9] << place_a & bits_a;
      if (taken_a) read_a[9 * i +: 9] <= (memory[first_a + i] ^ written(first_a + i)) >> place_a;
    end
    for (i = 0; i < WORDS_B; i = i + 1) begin
      if (write_b[i]) memory[first_b + i] <= memory[first_b + i] & ~bits_b | data_b[9 * i +: 9] << place_b & bits_b;
      if (taken_b) read_b[9 * i +: 9] <= (memory[first_b + i] ^ written(first_b + i)) >> place_b;
    end
    if (RSTA) read_a <= 0;
    if (RSTB) read_b <= 0;
  end
endmodule

// A multiplier of 18 by 18 bits, without its registers.
module MULT18X18D (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
  output P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  wire signed [35:0] a = {{18{SIGNEDA & A17}}, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire signed [35:0] b = {{18{SIGNEDB & B17}}, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
          P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = a * b;
endmodule
