"""When a test seeds a random generator, the learner's generator of the same name is seeded too.

In one kernel ``random.seed(7)`` in a test cell fixes what the learner's function draws. Here the two live in different
processes, so the seeding is passed on.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SEEDERS = (("random", "seed"), ("numpy.random", "seed"), ("torch", "manual_seed"))


class Seeds:
    """Wraps the seeding functions of this process; ``pass_on`` is called with module and arguments."""

    def __init__(self, pass_on: Callable[[str, str, tuple[Any, ...]], None]) -> None:
        self._pass_on = pass_on
        self._wrapped: set[str] = set()
        self.muted = True
        """The checker's own imports seed generators too; only a test's seeding is passed on."""

    def wrap(self) -> None:
        """Wrap the seeding functions of modules imported since the last time."""
        for module_name, function_name in _SEEDERS:
            module = sys.modules.get(module_name)
            if module is not None and module_name not in self._wrapped:
                self._wrapped.add(module_name)
                original = getattr(module, function_name)
                setattr(module, function_name, self._passing_on(module_name, function_name, original))

    def _passing_on(self, module_name: str, function_name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def seed(*args: Any) -> Any:
            result = original(*args)
            if not self.muted:
                self._pass_on(module_name, function_name, args)
            return result

        return seed
