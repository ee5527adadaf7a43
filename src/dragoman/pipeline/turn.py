"""Turn: targets that were passed over, for their providers had no place free, are waited for when no other has answered."""

from __future__ import annotations

from dragoman.ir import DragomanError, Overloaded, UpstreamError
from dragoman.pipeline.attempt import Unfit, worth_another
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.target import ask_target


async def ask_when_free(call: Call, caller: Caller, gateway: Gateway, told: DragomanError) -> None:
    """Asks those in `call.full`, each when it has a place, until one answers. Raises what the last of them has said, or why there
    is no place; `told` where there are none."""
    full, call.full = call.full, []
    while full:
        step, place = await gateway.places.wait(call, full)
        full.remove(step)
        try:
            await ask_target(call, caller, gateway, step, place)
            return
        except Unfit as error:
            told = error.why
        except (UpstreamError, Overloaded) as error:
            told = error
            if caller.started or gateway.closing or not worth_another(error):
                break
        full += call.full
        call.full = []
    raise told
