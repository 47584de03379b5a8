"""Reset after power-up and after a loss of lock."""

import random

from amaranth.sim import Simulator, SimulatorContext

from zipsgd_hw.boards.power_on_reset import PowerOnReset

CYCLES = 20
SYNCHRONISER = 2


def test_reset_is_held_after_power_up_and_whenever_lock_is_lost() -> None:
    dut = PowerOnReset(CYCLES)
    rng = random.Random(1)
    lost = released = 0

    async def bench(context: SimulatorContext) -> None:
        nonlocal lost, released
        held = 0  # cycles of lock so far
        assert context.get(dut.reset), "high before the first edge"
        for _ in range(200):
            locked = rng.random() < 0.7
            for _ in range(rng.choice([1, 2, CYCLES // 2, CYCLES, 3 * CYCLES])):
                # Lock changes at any time, not with the clock
                await context.delay(rng.random() * 0.9e-6)
                before = context.get(dut.reset)
                context.set(dut.locked, locked)
                assert context.get(dut.reset) == before, "reset moves with the clock alone"
                await context.tick()
                held = held + 1 if locked else 0
                if not context.get(dut.reset):
                    assert held >= CYCLES or held == 0, "released too early"
                    released += 1
                if held > 2 * CYCLES + SYNCHRONISER + 2:
                    assert not context.get(dut.reset), "held for ever"
            if not locked:
                await context.tick().repeat(SYNCHRONISER + 1)
                held = 0
                assert context.get(dut.reset), "a loss of lock resets"
                lost += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert lost > 20
    assert released > 200
