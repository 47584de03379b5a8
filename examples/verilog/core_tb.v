// A testbench of zipsgd_core, the training core without link and registers: two epochs, and then every word of the model.
//
// Losses and model must be those of the golden model. It needs, in the folder in which it is compiled and run:
//   zipsgd_core.v                                                 from: zipsgd build --verilog core
//   run.vh and planes, labels, seeds, losses and model as .hex    from: python examples/verilog/make_run.py
// docs/verilog.md has the commands, and says what each port is for.

`timescale 1ns / 1ps

module core_tb;
  `include "run.vh"

  localparam MOST_CYCLES = 100000;

  reg clk = 0;
  reg rst = 1;
  reg clear = 0, load = 0, start = 0;  // one cycle each
  wire busy;
  wire signed [63:0] loss;
  wire [4:0] flags;
  wire [31:0] samples_done;

  reg [30:0] seed_data = 0;
  reg seed_valid = 0;

  wire [7:0] planes_data;  // the default build has 8 lanes
  wire planes_valid, planes_ready;
  wire [15:0] labels_data;
  wire labels_valid, labels_ready;

  wire [15:0] model_read_offset;
  wire model_read_valid;
  wire [31:0] model_data;
  wire model_data_valid;

  zipsgd_core core_0 (
      .clk(clk),
      .rst(rst),
      // The run, which stays the same here: two base planes and two up planes a value, and so on
      .run_last_chunk(RUN_LAST_CHUNK),
      .run_last_lane(RUN_LAST_LANE),
      .run_last_base(RUN_LAST_BASE),
      .run_last_plane(RUN_LAST_PLANE),
      .run_up_planes(RUN_UP_PLANES),
      .run_shift(RUN_SHIFT),
      .run_symmetric(RUN_SYMMETRIC),
      .run_step_mantissa(RUN_STEP_MANTISSA),
      .run_step_exponent(RUN_STEP_EXPONENT),
      .run_last_in_batch(RUN_LAST_IN_BATCH),
      .run_intercept(RUN_INTERCEPT),
      .run_label_form(RUN_LABEL_FORM),
      // Samples
      .planes_data(planes_data),
      .planes_valid(planes_valid),
      .planes_ready(planes_ready),
      .labels_data(labels_data),
      .labels_valid(labels_valid),
      .labels_ready(labels_ready),
      // Commands and results
      .start(start),
      .samples(SAMPLES),
      .load(load),
      .clear(clear),
      .busy(busy),
      .flags(flags),
      .loss(loss),
      .cycles(),
      .plane_cycles(),
      .starved_cycles(),
      .samples_done(samples_done),
      .seed_data(seed_data),
      .seed_valid(seed_valid),
      .seed_ready(),
      // The model: it begins with zeros, so nothing is written here
      .model_write_offset(16'd0),
      .model_write_data(32'd0),
      .model_write_valid(1'b0),
      .model_write_ready(),
      .model_read_offset(model_read_offset),
      .model_read_valid(model_read_valid),
      .model_read_ready(),
      .model_data(model_data),
      .model_data_valid(model_data_valid),
      .model_data_ready(1'b1)
  );

  always #10 clk = !clk;

  reg [7:0] planes[0:PLANES-1];
  reg [15:0] labels[0:LABELS-1];
  reg [30:0] seeds[0:EPOCHS*SEEDS-1];
  reg [63:0] losses[0:EPOCHS-1];
  reg [31:0] model[0:FEATURES-1];

  // ---- Planes and labels of all epochs, one after the other. A word is taken when valid and ready are both 1.

  integer plane = 0;
  assign planes_valid = !rst && plane < PLANES;
  assign planes_data = planes_valid ? planes[plane] : 8'h00;

  always @(posedge clk) if (planes_valid && planes_ready) plane <= plane + 1;

  integer label = 0;
  assign labels_valid = !rst && label < LABELS;
  assign labels_data = labels_valid ? labels[label] : 16'h0000;

  always @(posedge clk) if (labels_valid && labels_ready) label <= label + 1;

  // ---- The words of the model, when all epochs are over.

  reg reading = 0;
  integer word = 0;
  assign model_read_valid = reading && word < FEATURES;
  assign model_read_offset = word[15:0];

  always @(posedge clk)
    if (model_read_valid && model_data_valid) begin
      if (model_data != model[word]) $fatal(1, "FAIL: word %0d of the model is %h, not %h", word, model_data, model[word]);
      word <= word + 1;
    end

  // ---- The epochs. What this block sets changes at the falling edge, so that it is stable at the rising one.

  integer epoch, number;

  initial begin
    $readmemh("planes.hex", planes);
    $readmemh("labels.hex", labels);
    $readmemh("seeds.hex", seeds);
    $readmemh("losses.hex", losses);
    $readmemh("model.hex", model);
    repeat (10) @(negedge clk);
    rst = 0;
    for (epoch = 0; epoch < EPOCHS; epoch = epoch + 1) begin
      clear = 1;
      @(negedge clk) clear = 0;
      for (number = 0; number < SEEDS; number = number + 1) begin
        seed_data  = seeds[epoch*SEEDS+number];
        seed_valid = 1;
        @(negedge clk) seed_valid = 0;
      end
      load = 1;
      @(negedge clk) load = 0;
      start = 1;
      @(negedge clk) start = 0;
      @(negedge clk);
      while (busy) @(negedge clk);
      if (loss != losses[epoch]) $fatal(1, "FAIL: the loss of epoch %0d is %h, not %h", epoch, loss, losses[epoch]);
      if (samples_done != SAMPLES) $fatal(1, "FAIL: %0d samples are done, not %0d", samples_done, SAMPLES);
    end
    reading = 1;
    while (word < FEATURES) @(negedge clk);
    $display("PASS: the losses of %0d epochs and %0d words of the model are those of the golden model", EPOCHS, word);
    $finish;
  end

  initial begin
    repeat (MOST_CYCLES) @(negedge clk);
    $fatal(1, "FAIL: after %0d cycles, %0d planes and %0d words of the model", MOST_CYCLES, plane, word);
  end
endmodule
