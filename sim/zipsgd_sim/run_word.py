"""The training core's run-time configuration as the word on its ``run`` port."""

from zipsgd.backends import RunConfig
from zipsgd.golden.loss import Step
from zipsgd.golden.run import step_registers
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import REACH_MAX
from zipsgd_hw.datapath.config import run_layout
from zipsgd_hw.datapath.loss_unit import LossUnit

__all__ = ["run_word"]


def run_word(build: Build, config: RunConfig, step: Step) -> int:
    """What the datapath derives from its registers, as the word on the core's ``run`` port.

    Parameters
    ----------
    build : Build
        The build.
    config : RunConfig
        Configuration of the run, on even levels.
    step : Step
        Step of the epoch.

    Returns
    -------
    int
        The fields of :func:`zipsgd_hw.datapath.config.run_layout`, packed.
    """
    values = {
        "last_chunk": build.chunks(config.features) - 1,
        "last_lane": (config.features - 1) % build.lanes,
        "last_base": config.p - 1,
        "last_plane": config.p + config.m - 1,
        "up_planes": config.m,
        "shift": build.p_max - config.p,
        "symmetric": int(config.m > 1 and not config.one_sided),
        "last_in_batch": config.batch - 1,
        "intercept": int(config.intercept),
        "label_form": int(config.label_form),
        "base_sent": 1,
        "transcoded": 0,
        "loss": int(config.loss),
        "polynomial": int(config.polynomial is not None),
        "degree": config.degree,
        "reach_shift": 0 if config.polynomial is None else REACH_MAX - config.polynomial.reach,
        "last_spacing": LossUnit.spacing(config.degree) - 1,
        "refetch": int(config.refetch),
        "last_head": config.heads - 1,
        "one_against_all": int(config.one_against_all),
        "final_chunk": config.heads * build.chunks(config.features) - 1,
        **step_registers(step),
        "growth_shift": step.growth.shift,
        "growth_range": step.growth.range,
    }
    return sum(values[str(name)] << field.offset for name, field in run_layout(build))
