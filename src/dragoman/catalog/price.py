"""What a model's tokens cost, and what an answer's usage comes to. Pure integers, nothing rounded but the whole, once.

A rate is held in attodollars (10⁻¹⁸ US dollars) a token: a price per million with twelve decimal places, the most that the
configuration takes, is still a whole number of them. A sum is rounded to the nanodollar, half to even.
Where prices come from is left to `prices`, what has been used to the protocols' readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct, json

from dragoman.ir.usage import Usage

# Attodollars a token that make one US dollar a million tokens; attodollars that make one nanodollar.
_DOLLAR_A_MILLION = 10**12
_NANODOLLAR = 10**9


class Rates(Struct, frozen=True, gc=False):
    """Attodollars a token, by what the token is. What has no price of its own is billed as what it is a kind of: cached and
    written input and what is seen or heard as `input`, reasoning and what is drawn or said as `output`. `request` is for the
    request itself."""

    input: int
    output: int = 0
    cached_input: int | None = None
    cache_write: int | None = None
    cache_write_hour: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    cached_audio: int | None = None
    image_input: int | None = None
    image_output: int | None = None
    cached_image: int | None = None
    video_input: int | None = None
    video_output: int | None = None
    request: int | None = None


UNITS = Rates.__struct_fields__
_INPUTS = tuple(
    name for name in UNITS if name not in ("output", "reasoning", "request") and not name.endswith("_output")
)
_OUTPUTS = ("output", "reasoning", "audio_output", "image_output", "video_output")
# (modality, its input, its cached input, its output): a modality that has no unit here is billed as text is.
_MEDIA: tuple[tuple[str, str, str, str], ...] = (
    ("audio", "audio_input", "cached_audio", "audio_output"),
    ("image", "image_input", "cached_image", "image_output"),
    ("video", "video_input", "", "video_output"),
)
_OF_MEDIA = tuple(unit for row in _MEDIA for unit in row[1:] if unit)


class Line(Struct, frozen=True):
    """One line of a cost's arithmetic: `quantity` × `per_million` / 1,000,000 = `amount`, exactly, in US dollars."""

    unit: str
    quantity: int
    per_million: Decimal
    amount: Decimal


class Cost:
    """What one answer comes to. `amount` is in whole nanodollars; `lines` add up to it before it is rounded."""

    __slots__ = ("_rates", "_usage", "amount")

    def __init__(self, amount: int, rates: Rates, usage: Usage) -> None:
        self.amount = amount
        self._rates = rates
        self._usage = usage

    @property
    def usd(self) -> str:
        """US dollars as a decimal text, six to nine places: how the ledger has it."""
        return in_dollars(self.amount)

    @property
    def lines(self) -> list[Line]:
        return [
            Line(unit, quantity, per_million(rate), Decimal(quantity * rate).scaleb(-18))
            for unit, quantity, rate in _billed(self._rates, self._usage)
            if quantity
        ]


class Price:
    """A model's rates, and the higher (or lower) ones that hold for a whole request whose input is longer than a bound.

    `source` tells where it comes from; `beside` names what the vendor charges besides, which token counts do not tell of.
    `of_media` and `of_caches` tell whether what is no text, or is written to a cache, costs anything else."""

    __slots__ = ("_ceilings", "_distinct", "_levels", "_steps", "beside", "of_caches", "of_media", "rates", "source")

    def __init__(
        self, rates: Rates, steps: tuple[tuple[int, Rates], ...] = (), *, source: str = "", beside: tuple[str, ...] = ()
    ) -> None:
        self.rates = rates
        self._steps = tuple(sorted(steps))
        self.source = source
        self.beside = beside
        every = (rates, *(step for _, step in self._steps))
        # What nearly every request needs, at hand: the rates of text, by whether it was cached or written.
        self._levels = [(one, _usual(one)) for one in every]
        self.of_media = any(getattr(one, unit) is not None for one in every for unit in _OF_MEDIA)
        self.of_caches = any(one.cache_write is not None or one.cache_write_hour is not None for one in every)
        self._ceilings: dict[tuple[bool, bool], list[tuple[int, int, int, int]]] = {}
        self._distinct = any(one.reasoning is not None or one.request is not None for one in every)

    @property
    def steps(self) -> tuple[tuple[int, Rates], ...]:
        """(bound, rates) of inputs of more tokens than the bound, lowest first."""
        return self._steps

    @property
    def free(self) -> bool:
        return not self._steps and not any(getattr(self.rates, unit) for unit in UNITS)

    def _level(self, input_tokens: int) -> int:
        """Which rates hold for so much input, cached input included: 0 the first, 1 those above the first bound."""
        found = 0
        for bound, _ in self._steps:
            if input_tokens <= bound:
                break
            found += 1
        return found

    def nanos(self, usage: Usage) -> int:
        """What an answer's usage comes to, in nanodollars."""
        rates, usual = self._levels[self._level(usage.input) if self._steps else 0]
        cached, written, hour = usage.cached_input, usage.cache_write, usage.cache_write_hour
        plain = usage.input - cached - written
        if plain >= 0 and written >= hour and not self._distinct and not (self.of_media and _has_media(usage)):
            of_plain, of_cached, of_written, of_hour, of_output = usual
            exact = plain * of_plain + usage.output * of_output
            if cached:
                exact += cached * of_cached
            if written:
                exact += (written - hour) * of_written + hour * of_hour
        else:
            exact = sum([quantity * rate for _, quantity, rate in _billed(rates, usage)])
        return _rounded(exact)

    def cost(self, usage: Usage) -> Cost:
        """The same, and how it comes about."""
        return Cost(self.nanos(usage), self._levels[self._level(usage.input)][0], usage)

    def estimate_ceiling(
        self, input_tokens: int, max_output_tokens: int, *, caches: bool = True, media: bool = True
    ) -> int:
        """Nanodollars that a request of so many tokens cannot cost more than, whatever kind they turn out to be.

        Tighter where the caller knows that nothing is written to a cache (`caches`), or that all is text (`media`)."""
        ceilings = self._ceilings.get((caches, media)) or self._ceiling(caches, media)
        _, most_in, most_out, request = ceilings[0]
        highest = input_tokens * most_in + max_output_tokens * most_out + request
        for bound, most_in, most_out, request in ceilings[1:]:
            if input_tokens <= bound:
                break
            come_to = input_tokens * most_in + max_output_tokens * most_out + request
            if come_to > highest:
                highest = come_to
        return -(-highest // _NANODOLLAR)

    def _ceiling(self, caches: bool, media: bool) -> list[tuple[int, int, int, int]]:
        """The input beyond which each of the rates may hold, its dearest kinds of input and output, and what a request costs."""
        found = [
            (
                bound,
                _most(rates, _INPUTS, rates.input, caches, media),
                _most(rates, _OUTPUTS, rates.output, caches, media),
                rates.request or 0,
            )
            for bound, rates in ((-1, self.rates), *self._steps)
        ]
        self._ceilings[caches, media] = found
        return found


def price_of_rates(
    given: Mapping[str, Decimal | None],
    steps: Mapping[int, Mapping[str, Decimal | None]] | None = None,
    *,
    source: str = "",
    beside: tuple[str, ...] = (),
) -> Price:
    """A price from US dollars a million tokens by unit; `steps` by the input tokens above which each holds."""
    above = tuple((bound, _rates(rates)) for bound, rates in (steps or {}).items())
    return Price(_rates(given), above, source=source, beside=beside)


def price_detail(price: Price) -> bytes:
    """A price as JSON, from which `price_from` makes it again: US dollars a million tokens by unit, and by unit above each
    step; as decimal texts."""
    steps = [{"above": bound, **_by_unit(rates)} for bound, rates in price.steps]
    told = {"source": price.source, "rates": _by_unit(price.rates), "steps": steps, "beside": price.beside}
    return json.encode({name: value for name, value in told.items() if value})


def price_from(detail: bytes | str) -> Price:
    """The price that `price_detail` wrote."""
    told = json.decode(detail)
    steps = {step.pop("above"): _from_units(step) for step in told.get("steps", ())}
    return price_of_rates(
        _from_units(told["rates"]), steps, source=told.get("source", ""), beside=tuple(told.get("beside", ()))
    )


def _by_unit(rates: Rates) -> dict[str, str]:
    given = {unit: getattr(rates, unit) for unit in UNITS}
    return {unit: format(per_million(rate).normalize(), "f") for unit, rate in given.items() if rate is not None}


def _from_units(rates: dict[str, str]) -> dict[str, Decimal]:
    return {unit: Decimal(dollars) for unit, dollars in rates.items()}


def per_million(rate: int) -> Decimal:
    """US dollars a million tokens, of a rate."""
    return Decimal(rate).scaleb(-12)


def in_dollars(nanodollars: int) -> str:
    """`0.00123` as "0.001230": never fewer than six places, never more than nine."""
    whole, rest = divmod(abs(nanodollars), _NANODOLLAR)
    places = f"{rest:09d}"
    while len(places) > 6 and places[-1] == "0":
        places = places[:-1]
    return f"{'-' if nanodollars < 0 else ''}{whole}.{places}"


def _rates(given: Mapping[str, Decimal | None]) -> Rates:
    found: dict[str, int] = {}
    for unit, dollars in given.items():
        if dollars is not None:
            exact = dollars * _DOLLAR_A_MILLION
            if exact < 0 or exact != int(exact):
                raise ValueError(f"{unit} is no price: {dollars}")
            found[unit] = int(exact)
    return Rates(**found)


def _usual(rates: Rates) -> tuple[int, int, int, int, int]:
    cached = rates.input if rates.cached_input is None else rates.cached_input
    written = rates.input if rates.cache_write is None else rates.cache_write
    hour = written if rates.cache_write_hour is None else rates.cache_write_hour
    return rates.input, cached, written, hour, rates.output


def _has_media(usage: Usage) -> bool:
    """Whether there is anything but text in it, as far as the vendor told."""
    for counts in (usage.input_by_modality, usage.output_by_modality, usage.cached_by_modality):
        if counts and (len(counts) > 1 or counts[0][0] != "text"):
            return True
    return bool(usage.tool_input_by_modality)


def _most(rates: Rates, units: tuple[str, ...], usual: int, caches: bool, media: bool) -> int:
    kinds = [
        rate
        for unit in units
        if (rate := getattr(rates, unit)) is not None
        and (caches or not unit.startswith("cache_write"))
        and (media or not unit.endswith(("_input", "_output", "_audio", "_image")) or unit == "cached_input")
    ]
    return max(usual, *kinds) if kinds else usual


def _rounded(exact: int) -> int:
    """Attodollars in nanodollars, half to even: over many entries neither side gains."""
    whole, rest = divmod(exact, _NANODOLLAR)
    if rest * 2 > _NANODOLLAR or (rest * 2 == _NANODOLLAR and whole & 1):
        return whole + 1
    return whole


def _billed(rates: Rates, usage: Usage) -> list[tuple[str, int, int]]:
    """(unit, tokens, rate): every token once. Where a vendor's parts are more than its whole, the parts that are dearest to
    tell apart (cached, written) are believed first, and no token is billed below zero."""
    cached = min(usage.cached_input, usage.input)
    written = min(usage.cache_write, usage.input - cached)
    hour = min(usage.cache_write_hour, written)
    plain = usage.input - cached - written
    spoken = usage.output
    lines: list[tuple[str, int, int]] = []
    for modality, heard, kept, said in _MEDIA:
        in_rate, out_rate = getattr(rates, heard), getattr(rates, said)
        kept_rate = getattr(rates, kept) if kept else None
        # Google's counts of the prompt's modalities include what of them was cached.
        held = min(_told(usage.cached_by_modality, modality), cached)
        if in_rate is not None:
            if kept_rate is None and rates.cached_input is None:
                kept_rate = in_rate  # no price of a cache's at all: what is heard from it costs as what is heard
            told = _told(usage.input_by_modality, modality) + _told(usage.tool_input_by_modality, modality)
            count = min(max(0, told - held), plain)
            plain -= count
            lines.append((heard, count, in_rate))
        if kept_rate is not None:
            cached -= held
            lines.append((kept or heard, held, kept_rate))
        if out_rate is not None:
            count = min(_told(usage.output_by_modality, modality), spoken)
            spoken -= count
            lines.append((said, count, out_rate))
    thought = 0
    if rates.reasoning is not None:
        thought = min(usage.reasoning, spoken)
        lines.append(("reasoning", thought, rates.reasoning))
    of_plain, of_cached, of_written, of_hour, of_output = _usual(rates)
    lines += [
        ("input", plain, of_plain),
        ("cached_input", cached, of_cached),
        ("cache_write", written - hour, of_written),
        ("cache_write_hour", hour, of_hour),
        ("output", spoken - thought, of_output),
    ]
    if rates.request:
        lines.append(("request", 1, rates.request))
    return sorted(lines, key=lambda line: UNITS.index(line[0]))


def _told(counts: tuple[tuple[str, int], ...], modality: str) -> int:
    return sum([tokens for name, tokens in counts if name == modality])


FREE = Price(Rates(0), source="the built-in model")
