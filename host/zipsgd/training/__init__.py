"""Training: options, preparation of the data, the run loop, results and reports.

The modules in the order of their use: :mod:`.options` (how to train), :mod:`.objective` and :mod:`.losses` (what is
minimised), :mod:`.targets`, :mod:`.preparation` and :mod:`.task` (data prepared for a device), :mod:`.opening` (the backend),
:mod:`.loop` with :mod:`.heads` and :mod:`.refetching` (epochs), :mod:`.checkpoint`, :mod:`.result`. :mod:`.api` contains
:func:`zipsgd.train`, which combines them.
"""
