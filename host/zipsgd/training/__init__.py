"""Training: options, the task made of data, the run loop, and what is told of a run.

The parts, in the order of their use: :mod:`.options` (how to train), :mod:`.objective` and :mod:`.losses` (what is minimised),
:mod:`.targets` and :mod:`.task` (data made ready for a device), :mod:`.opening` (the backend), :mod:`.loop` with :mod:`.heads`
and :mod:`.refetching` (epochs), :mod:`.checkpoint`, :mod:`.result`. :mod:`.api` has :func:`zipsgd.train`, which puts them
together.
"""
