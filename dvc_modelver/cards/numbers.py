"""Numbers in people's prose that have gone out of date.  Pure.

Beside a metric's name (same sentence, near) a number is stale when it equals, at its written precision, that metric of
an earlier version and not of this one.  Sentences that name a version or a slice speak of something else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation

from dvc_modelver.cards.document import Card
from dvc_modelver.cards.prose import Sentence, sentences

Metrics = Mapping[str, float]
"""Metric key, as in its file (`auc`, `test.roc_auc`) -> value."""

NEAR = 60
"""Characters between a metric's name and its number, at most."""
_number = re.compile(
    r"(?<![\w.,/#@^=±])(?<!\d[-\u2013])(?<!±\s)(?<!\+/-)(?<!\+/-\s)"
    r"([-\u2212+]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)([eE][-+]?\d{1,3})?"
    r"(?![\w/]|[.,]\d|[-\u2013]\d)(?!\s?(?:percentage|%[- ]?)\s?points?\b|\s?pp\b)(?:\s?(%|percent\b|per cent\b))?"
)
_version = re.compile(
    r"(?<![\w.])v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?(?!\w)|(?<!\w)v\d+(?:\.\d+)*(?!\w)|\bversions?\s+\d|\w[@#](?:latest|[a-z]\w*)"
    r"|\b(?:previous|earlier|prior|preceding|last|former|old|older|initial|first|next|other)\s+"
    r"(?:\w+\s+)?(?:versions?|releases?|models?)\b",
    re.IGNORECASE,
)
_gap = r"[\s_.\-]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleNumber:
    """A number of an earlier version that stands in people's text as if it were this one's."""

    line: int
    metric: str
    written: str
    current: float
    earlier: float
    version: str
    """The latest of the earlier versions that had this value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberNote:
    """A number beside a metric's name that is neither this version's nor an earlier one's."""

    line: int
    metric: str
    written: str
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFindings:
    """What was found, in the order of the file."""

    stale: tuple[StaleNumber, ...] = ()
    notes: tuple[NumberNote, ...] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """A number as it stands in a sentence."""

    start: int
    end: int
    text: str
    value: Decimal
    percent: bool

    @property
    def precise(self) -> bool:
        """Whether it looks like a measured value rather than a count."""
        return self.percent or int(self.value.as_tuple().exponent) < 0

    @property
    def telling(self) -> bool:
        """Whether it says more than one digit: `1` is the rounded value of far too much."""
        digits = self.value.as_tuple()
        return len(digits.digits) > 1 or int(digits.exponent) < 0


def stale_numbers(
    prose: Card, current: Metrics, earlier: Callable[[], Sequence[tuple[str, Metrics]]], slices: Iterable[str] = ()
) -> NumberFindings:
    """The numbers in a card's prose that are out of date, and those that differ otherwise.

    Args:
        current: the metrics of this version; those that are not finite are left out.
        earlier: gives (version, its metrics), in the order in which they should be named: latest first.  Asked only
            when a number is in doubt: reading a thousand versions is what would cost.
        slices: names of slices (`EU`, `female`), whose sentences are left alone.
    """
    stale: list[StaleNumber] = []
    notes: list[NumberNote] = []
    doubtful = list(_doubtful(prose, current, slices))
    known = earlier() if doubtful else ()
    elsewhere = _any_of(version for version, _ in known)
    for sentence, number, meant in doubtful:
        if elsewhere and elsewhere.search(sentence.text):
            continue
        line = sentence.line_at(number.start)
        found = _stale(number, line, meant, current, known)
        if found is not None:
            stale.append(found)
        elif number.precise:
            notes.append(NumberNote(line=line, metric=meant[0], written=number.text, current=current[meant[0]]))
    return NumberFindings(stale=tuple(stale), notes=tuple(notes))


def _doubtful(
    prose: Card, current: Metrics, slices: Iterable[str]
) -> Iterator[tuple[Sentence, _Written, tuple[str, ...]]]:
    """The numbers near a metric's name that are not its value, with the keys that the name may mean."""
    names = _names(current)
    mention = re.compile(rf"(?<![^\W_])(?:{'|'.join(spelling for spelling, _ in names)})(?![^\W_])", re.IGNORECASE)
    keys = {_joined(spelling): meant for spelling, meant in names}
    elsewhere = _any_of(slices)
    for sentence in sentences(prose) if names else ():
        mentions = [(match.start(), match.end(), keys[_joined(match[0])]) for match in mention.finditer(sentence.text)]
        if not mentions or _version.search(sentence.text) or (elsewhere and elsewhere.search(sentence.text)):
            continue
        for number in _numbers(sentence.bare):
            meant = _near(number, mentions, sentence.bare)
            if meant and not any(_equal(number, current[key]) for key in meant):
                yield sentence, number, meant


def _names(current: Metrics) -> list[tuple[str, tuple[str, ...]]]:
    """Words of a spelling, longest first, with the keys that it may mean: the whole key, or its last part."""
    found: dict[tuple[str, ...], list[str]] = {}
    for key, value in current.items():
        if math.isfinite(value):
            for part in dict.fromkeys((_words(key), _words(re.split(r"[.:/]", key)[-1]))):
                found.setdefault(part, []).append(key)
    ordered = sorted((part for part in found if part), key=lambda part: (-len("".join(part)), part))
    return [(_gap.join(map(re.escape, part)), tuple(found[part])) for part in ordered]


def _words(key: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\W_]+", key.lower()) if word)


def _joined(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.replace(_gap, "")).lower()


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    words = "|".join(re.escape(name) for name in names if name)
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if words else None


def _numbers(bare: str) -> Iterator[_Written]:
    for match in _number.finditer(bare):
        sign, digits, power = match[1], match[2], match[3] or ""
        grouped = re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", digits)
        digits = digits.replace(",", "" if grouped else ".")
        value = Decimal(f"{'-' if sign in ('-', chr(0x2212)) else ''}{digits}{power}")
        yield _Written(match.start(), match.end(), " ".join(match[0].split()), value, match[4] is not None)


def _near(number: _Written, mentions: Iterable[tuple[int, int, tuple[str, ...]]], bare: str) -> tuple[str, ...]:
    """The keys that the names around a number may mean, nearest name first; of two at one distance the one before."""
    near = []
    for start, end, keys in mentions:
        between = (end, number.start) if end <= number.start else (number.end, start)
        distance = between[1] - between[0]
        if 0 <= distance <= NEAR:
            # In "AUC of 0.91, recall of 0.87" the comma says whose the first number is.
            commas = bare.count(",", *between) + bare.count(";", *between)
            near.append((distance + 20 * commas, start, keys))
    return tuple(dict.fromkeys(key for _, _, keys in sorted(near) for key in keys))


def _stale(
    number: _Written, line: int, meant: Sequence[str], current: Metrics, earlier: Sequence[tuple[str, Metrics]]
) -> StaleNumber | None:
    for key in meant:
        for version, metrics in earlier:
            old = metrics.get(key)
            if old is not None and _equal(number, old) and (number.telling or _exact(number, old)):
                return StaleNumber(
                    line=line, metric=key, written=number.text, current=current[key], earlier=old, version=version
                )
    return None


def _exact(number: _Written, value: float) -> bool:
    exact = Decimal(repr(value))
    return number.value == exact or (number.percent and number.value == exact * 100)


def _equal(number: _Written, value: float) -> bool:
    """Whether `value`, rounded to the digits that were written, is the number."""
    if not math.isfinite(value):
        return False
    exact = Decimal(repr(value))
    unit = Decimal((0, (1,), int(number.value.as_tuple().exponent)))
    for wanted in (exact * 100, exact) if number.percent else (exact,):
        for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP):
            try:
                if wanted.quantize(unit, rounding) == number.value:
                    return True
            except InvalidOperation:  # more than 28 digits
                continue
    return False
