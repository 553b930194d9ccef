"""The register has what the store has, and shows it."""

import pytest

from service.errors import NotReady
from service.webhooks.hooks import pack
from service.webhooks.register import Register
from tests.service.webhooks.rig import Rig
from tests.service.webhooks.test_hooks import HOOK


async def test_what_is_written_is_believed_and_what_is_not_is_not() -> None:
    """A write that fails leaves what there was."""
    rig = Rig()
    register = Register(rig.box, rig.families.of("s"))
    await register.load()
    rig.box.fails = [OSError("no")]
    with pytest.raises(OSError, match="no"):
        await register.record(hooks={HOOK.id: HOOK})
    before = dict(register.hooks)
    await register.record(hooks={HOOK.id: HOOK})

    assert ({}, {HOOK.id: HOOK}, {HOOK.id: pack(HOOK)}) == (before, register.hooks, rig.box.hooks)
    assert (1.0, 0.0) == (rig.value("webhooks", state="enabled"), rig.value("webhooks", state="disabled"))


async def test_it_is_asked_only_while_it_knows() -> None:
    """Not before it is loaded, nor once it is not known what the store has."""
    rig = Rig()
    register = Register(rig.box, rig.families.of("s"))
    for prepare in (lambda: None, register.unload):
        prepare()
        with pytest.raises(NotReady):
            async with register.asked():
                pass
        await register.load()
        async with register.asked():
            pass
