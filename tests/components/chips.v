// Behaviour of the vendors' cells that boards use, as far as the boards use it. A PLL's clock is computed from its parameters and
// from the oscillator that it measures. A PLL that is set up in a way that its data sheet forbids, or that the makers' own tools
// would not choose, never locks.

`timescale 1ns / 1ps

// Oscillator and dividers of any PLL: ``period`` of the output, in periods of the reference, 0 for none.
module pll_model (
  input reference, bypass, enable,
  input real ratio,
  output clock,
  output reg lock
);
  real last = 0, measured = 0, half = 10;
  integer steady = 0;
  reg made = 0;
  initial lock = 0;
  always @(posedge reference) begin
    measured = $realtime - last;
    last = $realtime;
    steady = enable && ratio > 0 ? steady + 1 : 0;
    // It runs at another rate until it locks.
    half = measured * ratio / (steady > 10 ? 2.0 : 3.0);
    if (half < 0.5 || half > 1000) half = 10;
    lock <= steady > 40 && !$root.dut.unlock;
  end
  always #(half) made = ~made;
  assign clock = bypass ? reference : made;
endmodule

module ice40_pll #(
  parameter PAD = 0, FEEDBACK_PATH = "", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (
  input reference, RESETB, BYPASS,
  output clock, LOCK
);
  // In MHz; of the table in Lattice's TN1251 and icepll
  real detector, oscillator;
  reg [2:0] range;
  assign detector = $root.dut.oscillator_mhz / (DIVR + 1);
  assign oscillator = detector * (DIVF + 1);
  assign range = detector < 17 ? 1 : detector < 26 ? 2 : detector < 44 ? 3 : detector < 66 ? 4 : detector < 101 ? 5 : 6;
  // Some boards' oscillators are at a pad that is wired to the PLL, and at no other's.
  wire allowed = PAD == $root.dut.at_pll && FEEDBACK_PATH == "SIMPLE" && detector >= 10 && detector <= 133 && oscillator >= 533 && oscillator <= 1066
    && FILTER_RANGE == range && DIVQ >= 1 && DIVQ <= 6;
  pll_model pll (
    .reference, .bypass(BYPASS), .enable(RESETB && allowed), .ratio(1.0 * (DIVR + 1) * (1 << DIVQ) / (DIVF + 1)),
    .clock, .lock(LOCK)
  );
endmodule

module SB_PLL40_PAD #(
  parameter FEEDBACK_PATH = "", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (
  input PACKAGEPIN, RESETB, BYPASS,
  output PLLOUTGLOBAL, LOCK
);
  ice40_pll #(1, FEEDBACK_PATH, DIVR, DIVF, DIVQ, FILTER_RANGE) pll (
    .reference(PACKAGEPIN), .clock(PLLOUTGLOBAL), .RESETB, .BYPASS, .LOCK
  );
endmodule

module SB_PLL40_CORE #(
  parameter FEEDBACK_PATH = "", DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0
) (
  input REFERENCECLK, RESETB, BYPASS,
  output PLLOUTGLOBAL, LOCK
);
  ice40_pll #(0, FEEDBACK_PATH, DIVR, DIVF, DIVQ, FILTER_RANGE) pll (
    .reference(REFERENCECLK), .clock(PLLOUTGLOBAL), .RESETB, .BYPASS, .LOCK
  );
endmodule

// Its attributes come as parameters. Strings are compared with those that Project Trellis' ecppll writes.
module EHXPLLL #(
  parameter FREQUENCY_PIN_CLKI = "", FREQUENCY_PIN_CLKOP = "", ICP_CURRENT = "", LPF_RESISTOR = "",
  parameter MFG_ENABLE_FILTEROPAMP = "", MFG_GMCREF_SEL = "", PLLRST_ENA = "", INTFB_WAKE = "", STDBY_ENABLE = "",
  parameter DPHASE_SOURCE = "", OUTDIVIDER_MUXA = "", OUTDIVIDER_MUXB = "", OUTDIVIDER_MUXC = "", OUTDIVIDER_MUXD = "",
  parameter CLKI_DIV = 1, CLKFB_DIV = 1, FEEDBK_PATH = "", CLKOP_ENABLE = "", CLKOP_DIV = 1, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0,
  parameter FREQUENCY_PIN_CLKOS = "", CLKOS_ENABLE = "", CLKOS_DIV = 1, CLKOS_CPHASE = 0, CLKOS_FPHASE = 0,
  parameter FREQUENCY_PIN_CLKOS2 = "", CLKOS2_ENABLE = "", CLKOS2_DIV = 1, CLKOS2_CPHASE = 0, CLKOS2_FPHASE = 0
) (
  input RST, STDBY, CLKI, CLKFB, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
  output CLKOP, CLKOS, CLKOS2, LOCK
);
  assign CLKOS = 0;
  assign CLKOS2 = 0;
  real told_in, told_out, told_s, told_s2, made;
  // Of the frequency that the tools are told, and in step or three quarters of a cycle behind: a phase counts eighths of the
  // VCO's cycle
  function other(input real told, input integer divider, phase, eighths);
    integer late;
    begin
      late = (phase - divider + 1) * 8 + eighths;
      other = told * divider == made * CLKOP_DIV && (late == 0 || late == 6 * divider);
    end
  endfunction
  wire shifted = (CLKOS_ENABLE == "" || other(told_s, CLKOS_DIV, CLKOS_CPHASE, CLKOS_FPHASE))
    && (CLKOS2_ENABLE == "" || other(told_s2, CLKOS2_DIV, CLKOS2_CPHASE, CLKOS2_FPHASE));
  assign made = $root.dut.oscillator_mhz * CLKFB_DIV / CLKI_DIV;
  initial begin
    if ($sscanf(FREQUENCY_PIN_CLKI, "%f", told_in) != 1) told_in = 0;
    if ($sscanf(FREQUENCY_PIN_CLKOP, "%f", told_out) != 1) told_out = 0;
    if ($sscanf(FREQUENCY_PIN_CLKOS, "%f", told_s) != 1) told_s = 0;
    if ($sscanf(FREQUENCY_PIN_CLKOS2, "%f", told_s2) != 1) told_s2 = 0;
  end
  wire usual = shifted && ICP_CURRENT == "12" && LPF_RESISTOR == "8" && MFG_ENABLE_FILTEROPAMP == "1" && MFG_GMCREF_SEL == "2"
    && PLLRST_ENA == "DISABLED" && INTFB_WAKE == "DISABLED" && STDBY_ENABLE == "DISABLED" && DPHASE_SOURCE == "DISABLED"
    && OUTDIVIDER_MUXA == "DIVA" && OUTDIVIDER_MUXB == "DIVB" && OUTDIVIDER_MUXC == "DIVC" && OUTDIVIDER_MUXD == "DIVD"
    && FEEDBK_PATH == "CLKOP" && CLKOP_ENABLE == "ENABLED" && CLKOP_CPHASE == CLKOP_DIV - 1 && CLKOP_FPHASE == 0
    && !PHASESEL0 && !PHASESEL1 && PHASEDIR && PHASESTEP && PHASELOADREG && !PLLWAKESYNC && !ENCLKOP && !RST && !STDBY;
  // What the tools are told of the clocks is what timing is met for.
  wire told = told_in == $root.dut.oscillator_mhz && told_out == made;
  wire allowed = made * CLKOP_DIV >= 400 && made * CLKOP_DIV <= 800 && $root.dut.oscillator_mhz >= 3.125 * CLKI_DIV;
  reg fed = 0;
  always @(posedge CLKFB) fed <= 1;
  pll_model pll (
    .reference(CLKI), .bypass(1'b0), .enable(usual && told && allowed && fed), .ratio(1.0 * CLKI_DIV / CLKFB_DIV),
    .clock(CLKOP), .lock(LOCK)
  );
endmodule

module rPLL #(
  parameter FCLKIN = "", IDIV_SEL = 0, FBDIV_SEL = 0, ODIV_SEL = 8,
  parameter DYN_IDIV_SEL = "", DYN_FBDIV_SEL = "", DYN_ODIV_SEL = "", CLKFB_SEL = ""
) (
  input CLKIN, CLKFB, RESET, RESET_P,
  input [5:0] FBDSEL, IDSEL, ODSEL,
  input [3:0] PSDA, DUTYDA, FDLY,
  output CLKOUT, LOCK
);
  real told, detector, made;
  assign detector = $root.dut.oscillator_mhz / (IDIV_SEL + 1);
  assign made = detector * (FBDIV_SEL + 1);
  initial if ($sscanf(FCLKIN, "%f", told) != 1) told = 0;
  wire usual = DYN_IDIV_SEL == "false" && DYN_FBDIV_SEL == "false" && DYN_ODIV_SEL == "false" && CLKFB_SEL == "internal"
    && !RESET && !RESET_P;
  // Limits that GW1N-9 and GW2A-18 have in common
  wire allowed = told == $root.dut.oscillator_mhz && detector >= 3 && made * ODIV_SEL >= 500 && made * ODIV_SEL <= 1000;
  pll_model pll (
    .reference(CLKIN), .bypass(1'b0), .enable(usual && allowed), .ratio(1.0 * (IDIV_SEL + 1) / (FBDIV_SEL + 1)),
    .clock(CLKOUT), .lock(LOCK)
  );
endmodule

module IBUF (input I, output O);
  assign O = I;
endmodule

module SB_GB_IO #(parameter PIN_TYPE = 0, IO_STANDARD = "", PULLUP = 0) (input PACKAGE_PIN, output GLOBAL_BUFFER_OUTPUT);
  assign GLOBAL_BUFFER_OUTPUT = PIN_TYPE == 6'b000001 && PACKAGE_PIN;
endmodule

// An input, or an output that is enabled by a signal
module SB_IO #(parameter PIN_TYPE = 0, IO_STANDARD = "", PULLUP = 0) (
  inout PACKAGE_PIN,
  input OUTPUT_ENABLE, D_OUT_0,
  output D_IN_0
);
  assign PACKAGE_PIN = PIN_TYPE == 6'b101001 && OUTPUT_ENABLE ? D_OUT_0 : 1'bz;
  assign D_IN_0 = PIN_TYPE == 6'b000001 && PACKAGE_PIN;
endmodule

module IB (input I, output O);
  assign O = I;
endmodule

module OB (input I, output O);
  assign O = I;
endmodule

module OBZ (input I, T, output O);
  assign O = T ? 1'bz : I;
endmodule
